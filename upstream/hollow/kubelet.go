package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
)

// Of a node's lease; kubelet's defaults.
const (
	leaseSeconds = 40
	leaseRenewal = 10 * time.Second
	// kubeletRetry is how often kubelet looks for what it needs before it is ready.
	kubeletRetry = time.Second
)

// errNotWorker is for good: no further attempt helps.
var errNotWorker = errors.New("a hollow server can only join as a worker here: control planes need a real one")

var stages = mustLoadStages()

// runWorker does what kubeadm and kubelet do on a worker of a cluster that other servers run;
// every step may be repeated. What it starts goes on until ctx ends.
func (r *Region) runWorker(ctx context.Context, server *Server) error {
	if server.Bootstrap.controlPlane() {
		return errNotWorker
	}
	identity, err := r.joined(ctx, server)
	if err != nil {
		return err
	}
	api, done, err := connect(identity.config())
	if err != nil {
		return err
	}
	if err := r.runKubelet(ctx, api, server); err != nil {
		done()
		return fmt.Errorf("kubelet: %w", err)
	}
	context.AfterFunc(ctx, done)
	return nil
}

// runKubelet registers the Node and starts what keeps it alive.
func (r *Region) runKubelet(ctx context.Context, api *kubernetes.Clientset, server *Server) error {
	name := server.Bootstrap.NodeName
	if err := registerNode(ctx, api, server); err != nil {
		return err
	}
	r.report(server, "kubelet "+server.Version+": registered node "+name)
	if err := awaitPodRange(ctx, api, name); err != nil {
		return err
	}
	if err := play(ctx, api, server); err != nil {
		return err
	}
	return r.commit(ctx, server, func() {
		server.Joined = true
		r.say(server, "bootstrapped; kwok plays kubelet: pods are Running, and nothing runs")
	})
}

// joined is the server's identity in the cluster; the first time, it is obtained and kept.
func (r *Region) joined(ctx context.Context, server *Server) (*Identity, error) {
	r.mu.Lock()
	known := server.Identity
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if !r.pause(ctx, r.delays.Node) {
		return nil, errBusy
	}
	made, err := join(ctx, server.Bootstrap)
	if err != nil {
		return nil, err
	}
	return made, r.commit(ctx, server, func() {
		server.Identity = made
		r.say(server, "kubeadm: joined the cluster at "+made.Server)
	})
}

// registerNode creates the Node. One that is there already is taken over, as kubelet does.
func registerNode(ctx context.Context, api kubernetes.Interface, server *Server) error {
	wanted := node(server, "")
	wanted.UID = ""
	wanted.Status.Conditions = nil // a node is not ready until kubelet has said so
	wanted.Status.Addresses = append(wanted.Status.Addresses,
		corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: server.Address})
	_, err := api.CoreV1().Nodes().Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// awaitPodRange waits for the addresses of the node's pods. A node without them has no network and
// is not ready, and kwok would give its pods addresses of its own making.
func awaitPodRange(ctx context.Context, api kubernetes.Interface, name string) error {
	for {
		found, err := api.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
		if found.Spec.PodCIDR != "" {
			return nil
		}
		select {
		case <-time.After(kubeletRetry):
		case <-ctx.Done():
			return errBusy
		}
	}
}

// play renews the node's lease and lets upstream's simulator keep the Node and its pods alive, each
// node as itself: the API server authenticates, authorizes and admits it like any kubelet.
func play(ctx context.Context, api *kubernetes.Clientset, server *Server) error {
	name := server.Bootstrap.NodeName
	ctx = kwoklog.NewContext(ctx, kwoklog.NewLogger(os.Stderr, slog.LevelWarn))
	controller, err := controllers.NewController(controllers.Config{
		Clock:                     clock.RealClock{},
		TypedClient:               api,
		RESTClient:                api.CoreV1().RESTClient(),
		ManageSingleNode:          name,
		NodeName:                  name,
		NodeIP:                    server.Address,
		LocalStages:               stages,
		NodePlayStageParallelism:  1,
		PodPlayStageParallelism:   1,
		PodsOnNodeSyncParallelism: 1,
		ID:                        name,
	})
	if err != nil {
		return err
	}
	if err := controller.Start(ctx); err != nil {
		return err
	}
	// kwok's own leases need a watch of leases, which no node is allowed.
	go lease.NewController(
		clock.RealClock{}, api, name, leaseSeconds, nil, leaseRenewal, name, corev1.NamespaceNodeLease,
		ownedBy(ctx, api, name),
	).Run(ctx)
	return nil
}

// ownedBy lets a lease go with its Node.
func ownedBy(ctx context.Context, api kubernetes.Interface, name string) lease.ProcessLeaseFunc {
	return func(made *coordinationv1.Lease) error {
		if len(made.OwnerReferences) > 0 {
			return nil
		}
		found, err := api.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		made.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Node", Name: name, UID: found.UID},
		}
		return nil
	}
}

// mustLoadStages are upstream's own: a node is ready at once, pods run at once, those of Jobs end.
func mustLoadStages() map[internalversion.StageResourceRef][]*internalversion.Stage {
	loaded := map[internalversion.StageResourceRef][]*internalversion.Stage{}
	for _, text := range []string{
		nodestages.DefaultNodeInit, heartbeat.DefaultNodeHeartbeatWithLease,
		podstages.DefaultPodReady, podstages.DefaultPodComplete, podstages.DefaultPodDelete,
	} {
		given := &v1alpha1.Stage{}
		if err := yaml.Unmarshal([]byte(text), given); err != nil {
			log.Fatalf("kwok's stages: %v", err)
		}
		stage, err := internalversion.ConvertToInternalStage(given)
		if err != nil {
			log.Fatalf("kwok's stages: %v", err)
		}
		loaded[stage.Spec.ResourceRef] = append(loaded[stage.Spec.ResourceRef], stage)
	}
	return loaded
}
