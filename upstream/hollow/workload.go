package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	inmemoryapi "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/server/api"
	inmemoryetcd "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/server/etcd"
)

const (
	mergePatch   = "application/merge-patch+json"
	jsonPatch    = "application/json-patch+json"
	patchRetries = 5
)

// workload serves the clusters' APIs: upstream's in-memory API server and etcd, behind what a real
// API server does and upstream leaves out (authentication, status as a subresource, JSON patch).
type workload struct {
	region *Region
	api    http.Handler
	etcd   http.Handler
}

func newWorkloadHandler(region *Region) http.Handler {
	resolve := func(address string) (string, error) {
		cluster := region.clusterAt(address)
		if cluster == nil {
			return "", fmt.Errorf("nothing answers behind %s", address)
		}
		return cluster.name, nil
	}
	logger := logr.Discard()
	return &workload{
		region: region,
		api:    inmemoryapi.NewAPIServerHandler(region.manager, logger, resolve),
		etcd:   inmemoryetcd.NewEtcdServerHandler(region.manager, logger, resolve),
	}
}

func (h *workload) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := localAddress(r.Context())
	cluster := h.region.clusterAt(address)
	if cluster == nil {
		panic(http.ErrAbortHandler) // as a connection whose server went away
	}
	if strings.HasPrefix(r.TLS.ServerName, "etcd-") {
		h.etcd.ServeHTTP(w, r)
		h.region.membersChanged()
		return
	}
	r.Host = address // by which upstream finds the cluster, whatever name the client used
	switch path := r.URL.Path; {
	case path == "/readyz" || path == "/livez" || path == "/healthz" || strings.HasPrefix(path, "/readyz/"):
		fmt.Fprint(w, "ok")
	case path == "/version":
		writeJSON(w, http.StatusOK, map[string]string{"gitVersion": cluster.Version, "platform": "linux/amd64"})
	case len(r.TLS.PeerCertificates) == 0:
		fail(w, apierrors.NewUnauthorized("Unauthorized"))
	default:
		h.serve(w, r, cluster)
	}
}

func (h *workload) serve(w http.ResponseWriter, r *http.Request, cluster *Cluster) {
	query := r.URL.Query()
	if query.Get("watch") == "1" {
		query.Set("watch", "true")
		r.URL.RawQuery = query.Encode()
	}
	if wantsTable(r) {
		h.table(w, r)
		return
	}
	switch r.Method {
	case http.MethodPatch:
		r.URL.Path = strings.TrimSuffix(r.URL.Path, "/status")
		h.patch(w, r)
	case http.MethodPut:
		r.URL.Path = strings.TrimSuffix(r.URL.Path, "/status")
		h.api.ServeHTTP(w, r)
	case http.MethodDelete:
		h.delete(w, r, cluster)
	default:
		h.api.ServeHTTP(w, r)
	}
}

// delete answers with a Status, which upstream leaves out, and takes a Node's pods along.
func (h *workload) delete(w http.ResponseWriter, r *http.Request, cluster *Cluster) {
	answer := h.ask(r, http.MethodDelete, "application/json", nil)
	if answer.code != http.StatusOK {
		answer.copyTo(w)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/api/v1/nodes/"); ok {
		if err := cluster.nodeGone(r.Context(), name); err != nil {
			log.Printf("cluster %s: pods of node %s: %v", cluster.name, name, err)
		}
	}
	writeJSON(w, http.StatusOK, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess,
	})
}

// patch tries again after a conflict, as an API server does for patches that name no version.
func (h *workload) patch(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	for attempt := 1; ; attempt++ {
		answer, err := h.patchOnce(r, body)
		if err != nil {
			fail(w, err)
			return
		}
		if answer.code == http.StatusConflict && attempt < patchRetries && !bytes.Contains(body, []byte(`"resourceVersion"`)) {
			continue
		}
		answer.copyTo(w)
		return
	}
}

func (h *workload) patchOnce(r *http.Request, body []byte) (*answer, error) {
	current := h.ask(r, http.MethodGet, "", nil)
	contentType := r.Header.Get("Content-Type")
	if current.code != http.StatusOK && !strings.HasPrefix(contentType, "application/apply-patch") {
		return current, nil
	}
	switch {
	case contentType == jsonPatch:
		patch, err := jsonpatch.DecodePatch(body)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		changed, err := patch.Apply(current.body.Bytes())
		if err != nil {
			return nil, invalid(err)
		}
		return h.ask(r, http.MethodPut, "application/json", changed), nil
	case strings.HasPrefix(contentType, "application/apply-patch"):
		object, err := yaml.YAMLToJSON(body)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if current.code == http.StatusNotFound {
			return h.ask(r, http.MethodPost, "application/json", object), nil
		}
		return h.ask(r, http.MethodPatch, mergePatch, object), nil
	}
	return h.ask(r, http.MethodPatch, contentType, body), nil
}

// invalid tells a failed "test" operation as an API server does: 422.
func invalid(err error) error {
	status := metav1.Status{
		Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Message: err.Error(),
		Code: http.StatusUnprocessableEntity,
	}
	return &apierrors.StatusError{ErrStatus: status}
}

// ask has upstream's API server answer a request about the same object.
func (h *workload) ask(r *http.Request, method, contentType string, body []byte) *answer {
	return h.query(r, method, contentType, body, "")
}

func (h *workload) query(r *http.Request, method, contentType string, body []byte, query string) *answer {
	request := r.Clone(r.Context())
	request.Method = method
	request.URL.RawQuery = query
	request.Body = io.NopCloser(bytes.NewReader(body))
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		request.URL.Path = request.URL.Path[:strings.LastIndexByte(request.URL.Path, '/')]
	}
	made := &answer{code: http.StatusOK, header: http.Header{}}
	h.api.ServeHTTP(made, request)
	return made
}

// answer keeps what a handler wrote.
type answer struct {
	code   int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header            { return a.header }
func (a *answer) WriteHeader(code int)           { a.code = code }
func (a *answer) Write(data []byte) (int, error) { return a.body.Write(data) }
func (a *answer) copyTo(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.code)
	w.Write(a.body.Bytes()) //nolint:errcheck // the client went away
}

func fail(w http.ResponseWriter, err error) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	body := status.Status()
	body.Kind, body.APIVersion = "Status", "v1"
	writeJSON(w, int(body.Code), body)
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(data) //nolint:errcheck // the client went away
}
