package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
)

// wantsTable says whether the client is a kubectl that shows what it gets.
func wantsTable(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Get("watch") == "" &&
		strings.HasPrefix(r.Header.Get("Accept"), "application/json;as=Table")
}

// table answers a GET with rows and columns, which upstream's API server leaves to the client.
func (h *workload) table(w http.ResponseWriter, r *http.Request) {
	found := h.query(r, http.MethodGet, "", nil, r.URL.RawQuery)
	if found.code != http.StatusOK {
		found.copyTo(w)
		return
	}
	list := &unstructured.UnstructuredList{}
	if err := json.Unmarshal(found.body.Bytes(), list); err != nil || list.Items == nil {
		object := unstructured.Unstructured{}
		if err := json.Unmarshal(found.body.Bytes(), &object); err != nil {
			fail(w, err)
			return
		}
		list.Items = []unstructured.Unstructured{object}
	}
	slices.SortFunc(list.Items, func(a, b unstructured.Unstructured) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	made := &metav1.Table{TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "Table"}}
	made.ResourceVersion = list.GetResourceVersion()
	for i := range list.Items {
		columns, cells, err := describe(&list.Items[i])
		if err != nil {
			fail(w, err)
			return
		}
		made.ColumnDefinitions = columns
		meta := &metav1.PartialObjectMetadata{
			TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"},
			ObjectMeta: metav1.ObjectMeta{
				Name: list.Items[i].GetName(), Namespace: list.Items[i].GetNamespace(),
				Labels: list.Items[i].GetLabels(),
			},
		}
		made.Rows = append(made.Rows, metav1.TableRow{Cells: cells, Object: runtime.RawExtension{Object: meta}})
	}
	writeJSON(w, http.StatusOK, made)
}

// describe is one row. Priority 1 is for `-o wide`.
func describe(object *unstructured.Unstructured) ([]metav1.TableColumnDefinition, []any, error) {
	age := duration.HumanDuration(time.Since(object.GetCreationTimestamp().Time))
	switch object.GetKind() {
	case "Node":
		node := &corev1.Node{}
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, node)
		status, role, address := nodeStatus(node)
		return columns("Name", "Status", "Roles", "Age", "Version", "+Internal-IP", "+OS-Image"),
			[]any{node.Name, status, role, age, node.Status.NodeInfo.KubeletVersion, address, node.Status.NodeInfo.OSImage}, err
	case "Pod":
		pod := &corev1.Pod{}
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, pod)
		ready := "0/1"
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				ready = "1/1"
			}
		}
		return columns("Name", "Ready", "Status", "Restarts", "Age", "+Node"),
			[]any{pod.Name, ready, string(pod.Status.Phase), 0, age, pod.Spec.NodeName}, err
	}
	return columns("Name", "Age"), []any{object.GetName(), age}, nil
}

func columns(names ...string) []metav1.TableColumnDefinition {
	made := []metav1.TableColumnDefinition{}
	for _, name := range names {
		bare, wide := strings.CutPrefix(name, "+")
		column := metav1.TableColumnDefinition{Name: bare, Type: "string"}
		if bare == "Name" {
			column.Format = "name"
		}
		if wide {
			column.Priority = 1
		}
		made = append(made, column)
	}
	return made
}

func nodeStatus(node *corev1.Node) (status, role, address string) {
	status, role, address = "NotReady", "<none>", "<none>"
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			status = "Ready"
		}
	}
	if node.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	if _, ok := node.Labels[controlPlaneLabel]; ok {
		role = "control-plane"
	}
	for _, one := range node.Status.Addresses {
		if one.Type == corev1.NodeInternalIP {
			address = one.Address
		}
	}
	return status, role, address
}
