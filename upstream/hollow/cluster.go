package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	cloudv1 "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/cloud/api/v1alpha1"
	inmemoryruntime "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/runtime"
)

// clusterRecord is what outlives the process of a cluster, beside its objects.
type clusterRecord struct {
	Endpoint  string            `json:"endpoint"`
	Files     map[string]string `json:"files"`
	PodSubnet string            `json:"podSubnet"`
	Version   string            `json:"version"`
}

// Cluster is one workload cluster: its authorities, and its objects in the in-memory server.
// It is named by the hash of its certificate authority.
type Cluster struct {
	clusterRecord
	name   string
	ca     *authority
	etcdCA *authority
	api    *tls.Certificate
	client inmemoryruntime.Client

	mu      sync.Mutex
	members map[string]*tls.Certificate // by etcd pod
	ranges  map[string]int              // number of the pod range, by node
}

func newCluster(record clusterRecord, manager inmemoryruntime.Manager) (*Cluster, error) {
	const pki = "/etc/kubernetes/pki/"
	ca, err := parseAuthority(record.Files[pki+"ca.crt"], record.Files[pki+"ca.key"])
	if err != nil {
		return nil, fmt.Errorf("%sca: %w", pki, err)
	}
	etcdCA, err := parseAuthority(record.Files[pki+"etcd/ca.crt"], record.Files[pki+"etcd/ca.key"])
	if err != nil {
		return nil, fmt.Errorf("%setcd/ca: %w", pki, err)
	}
	host, _, err := net.SplitHostPort(record.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("control plane endpoint: %w", err)
	}
	api, err := ca.serving("kube-apiserver", host, "kubernetes", "kubernetes.default")
	if err != nil {
		return nil, err
	}
	name := ca.hash()
	manager.AddResourceGroup(name)
	return &Cluster{
		clusterRecord: record,
		name:          name,
		ca:            ca,
		etcdCA:        etcdCA,
		api:           api,
		client:        manager.GetResourceGroup(name).GetClient(),
		members:       map[string]*tls.Certificate{},
		ranges:        map[string]int{},
	}, nil
}

// ensure creates the object unless one of its name exists.
func (c *Cluster) ensure(ctx context.Context, object client.Object) error {
	if object.GetUID() == "" {
		object.SetUID(newUID())
	}
	if err := c.client.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// memberCertificate is what the etcd member behind a pod serves with.
func (c *Cluster) memberCertificate(pod string) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.members[pod]; ok {
		return known, nil
	}
	made, err := c.etcdCA.serving(strings.TrimPrefix(pod, "etcd-"), pod)
	if err != nil {
		return nil, err
	}
	c.members[pod] = made
	return made, nil
}

// etcdPods are the pods of the members that have not been removed.
func (c *Cluster) etcdPods(ctx context.Context) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	selector := client.MatchingLabels{"component": "etcd", "tier": "control-plane"}
	if err := c.client.List(ctx, pods, client.InNamespace(metav1.NamespaceSystem), selector); err != nil {
		return nil, err
	}
	members := []corev1.Pod{}
	for _, pod := range pods.Items {
		if _, removed := pod.Annotations[cloudv1.EtcdMemberRemoved]; !removed {
			members = append(members, pod)
		}
	}
	return members, nil
}

// etcdAnnotations make a pod the next member; the first one leads.
func (c *Cluster) etcdAnnotations(ctx context.Context) (map[string]string, error) {
	members, err := c.etcdPods(ctx)
	if err != nil {
		return nil, err
	}
	annotations := map[string]string{
		cloudv1.EtcdMemberIDAnnotationName: strconv.FormatUint(uint64(rand.Uint32())+1, 10),
	}
	if len(members) > 0 {
		cluster := members[0].Annotations[cloudv1.EtcdClusterIDAnnotationName]
		annotations[cloudv1.EtcdClusterIDAnnotationName] = cluster
		return annotations, nil
	}
	sum := fnv.New32a()
	sum.Write([]byte(c.name))
	annotations[cloudv1.EtcdClusterIDAnnotationName] = strconv.FormatUint(uint64(sum.Sum32())+1, 10)
	annotations[cloudv1.EtcdLeaderFromAnnotationName] = time.Now().Format(time.RFC3339)
	return annotations, nil
}

// elect gives the leadership to a living member when the leader is not one of them.
func (c *Cluster) elect(ctx context.Context, alive map[string]bool) error {
	members, err := c.etcdPods(ctx)
	if err != nil {
		return err
	}
	var leader, heir *corev1.Pod
	since := ""
	for i := range members {
		pod := &members[i]
		if from := pod.Annotations[cloudv1.EtcdLeaderFromAnnotationName]; from > since {
			leader, since = pod, from
		}
		if alive[pod.Spec.NodeName] {
			heir = pod
		}
	}
	if heir == nil || (leader != nil && alive[leader.Spec.NodeName]) {
		return nil
	}
	changed := heir.DeepCopy()
	changed.Annotations[cloudv1.EtcdLeaderFromAnnotationName] = time.Now().Format(time.RFC3339)
	return c.client.Patch(ctx, changed, client.MergeFrom(heir))
}

// podRange is the node's share of the pods' addresses, as kube-controller-manager's node IPAM
// hands them out (--node-cidr-mask-size 24); empty when all are taken.
func (c *Cluster) podRange(node string) string {
	_, whole, err := net.ParseCIDR(c.PodSubnet)
	if err != nil || whole.IP.To4() == nil {
		return ""
	}
	ones, _ := whole.Mask.Size()
	c.mu.Lock()
	defer c.mu.Unlock()
	number, known := c.ranges[node]
	if !known {
		taken := map[int]bool{}
		for _, n := range c.ranges {
			taken[n] = true
		}
		for taken[number] {
			number++
		}
		if ones > 24 || number >= 1<<(24-ones) {
			return ""
		}
		c.ranges[node] = number
	}
	ip := whole.IP.To4()
	start := uint32(ip[0])<<24 | uint32(ip[1])<<16 | uint32(ip[2])<<8 + uint32(number)<<8
	return fmt.Sprintf("%d.%d.%d.0/24", byte(start>>24), byte(start>>16), byte(start>>8))
}

// remember takes over the range that a node had before this process started.
func (c *Cluster) remember(node *corev1.Node) {
	_, whole, err := net.ParseCIDR(c.PodSubnet)
	_, own, ownErr := net.ParseCIDR(node.Spec.PodCIDR)
	if err != nil || ownErr != nil || whole.IP.To4() == nil {
		return
	}
	c.ranges[node.Name] = int(third(own.IP)) - int(third(whole.IP))
}

func third(ip net.IP) uint32 {
	v4 := ip.To4()
	return uint32(v4[0])<<16 | uint32(v4[1])<<8 | uint32(v4[2])
}

// nodeGone releases what belonged to a deleted Node: its range, and its pods (podgc's work).
func (c *Cluster) nodeGone(ctx context.Context, node string) error {
	c.mu.Lock()
	delete(c.ranges, node)
	delete(c.members, "etcd-"+node)
	c.mu.Unlock()
	pods := &corev1.PodList{}
	if err := c.client.List(ctx, pods); err != nil {
		return err
	}
	for i := range pods.Items {
		if pods.Items[i].Spec.NodeName != node {
			continue
		}
		if err := c.client.Delete(ctx, &pods.Items[i]); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
