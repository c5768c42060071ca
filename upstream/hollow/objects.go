package main

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	controlPlaneLabel = "node-role.kubernetes.io/control-plane"
	// corednsVersion is the one of `kubeadm config images list`; nothing runs it.
	corednsVersion = "v1.14.3"
)

func newUID() types.UID { return uuid.NewUUID() }

// node is the Node that kubelet registers.
func node(s *Server, podRange string) *corev1.Node {
	b := s.Bootstrap
	labels := map[string]string{
		corev1.LabelHostname:   b.NodeName,
		corev1.LabelOSStable:   "linux",
		corev1.LabelArchStable: "amd64",
	}
	for key, value := range b.Labels {
		labels[key] = value
	}
	if b.controlPlane() {
		labels[controlPlaneLabel] = ""
		labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
	}
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(s.CPUs, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(s.MemoryMiB<<20, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(110, resource.DecimalSI),
	}
	spec := corev1.NodeSpec{ProviderID: b.ProviderID, Taints: b.Taints, PodCIDR: podRange}
	if podRange != "" {
		spec.PodCIDRs = []string{podRange}
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: b.NodeName, UID: newUID(), Labels: labels, Annotations: b.Annotations,
		},
		Spec: spec,
		Status: corev1.NodeStatus{
			Capacity:    capacity,
			Allocatable: capacity,
			Addresses:   []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: s.Hostname}},
			NodeInfo: corev1.NodeSystemInfo{
				SystemUUID:              s.ID,
				KubeletVersion:          s.Version,
				ContainerRuntimeVersion: "hollow://1",
				OperatingSystem:         "linux",
				Architecture:            "amd64",
				OSImage:                 "hollow",
			},
			Conditions: nodeConditions(true),
		},
	}
}

// nodeConditions are those of a healthy node, or of one whose kubelet has gone silent.
func nodeConditions(healthy bool) []corev1.NodeCondition {
	now := metav1.Now()
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason string) corev1.NodeCondition {
		if !healthy {
			status, reason = corev1.ConditionUnknown, "NodeStatusUnknown"
		}
		return corev1.NodeCondition{
			Type: kind, Status: status, Reason: reason, LastTransitionTime: now, LastHeartbeatTime: now,
		}
	}
	return []corev1.NodeCondition{
		condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory"),
		condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure"),
		condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID"),
		condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady"),
	}
}

// staticPod is the mirror of a control-plane pod, as kubelet publishes it.
func staticPod(component string, s *Server, annotations map[string]string) *corev1.Pod {
	all := map[string]string{
		"kubernetes.io/config.source": "file",
		"kubernetes.io/config.mirror": s.ID,
	}
	for key, value := range annotations {
		all[key] = value
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   metav1.NamespaceSystem,
			Name:        fmt.Sprintf("%s-%s", component, s.Bootstrap.NodeName),
			UID:         newUID(),
			Labels:      map[string]string{"component": component, "tier": "control-plane"},
			Annotations: all,
		},
		Spec: corev1.PodSpec{
			NodeName:    s.Bootstrap.NodeName,
			HostNetwork: true,
			Containers: []corev1.Container{
				{Name: component, Image: "registry.k8s.io/" + component + ":" + s.Version},
			},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: podConditions(true)},
	}
}

func podConditions(ready bool) []corev1.PodCondition {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	kinds := []corev1.PodConditionType{corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady}
	conditions := []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
	for _, kind := range kinds {
		conditions = append(conditions, corev1.PodCondition{
			Type: kind, Status: status, LastTransitionTime: metav1.Now(),
		})
	}
	return conditions
}

// kubeadmObjects are what `kubeadm init` leaves in a cluster, as far as Cluster API reads it.
func kubeadmObjects(s *Server) []client.Object {
	system := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name}
	}
	bind := func(name, role, group string) *rbacv1.ClusterRoleBinding {
		return &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: group}},
		}
	}
	tokens := "system:bootstrappers:kubeadm:default-node-token"
	objects := []client.Object{
		&rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: "kubeadm:get-nodes"},
			Rules:      []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"nodes"}}},
		},
		bind("kubeadm:get-nodes", "kubeadm:get-nodes", tokens),
		bind("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", tokens),
		bind("kubeadm:cluster-admins", "cluster-admin", "kubeadm:cluster-admins"),
		&corev1.ConfigMap{
			ObjectMeta: system("kubeadm-config"),
			Data:       map[string]string{"ClusterConfiguration": s.Bootstrap.ClusterConfiguration},
		},
		&corev1.ConfigMap{
			ObjectMeta: system("kubelet-config"),
			Data:       map[string]string{"kubelet": "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"},
		},
		kubeProxy(s.Version),
		&corev1.ConfigMap{ObjectMeta: system("coredns"), Data: map[string]string{"Corefile": corefile}},
		coredns(),
	}
	for _, name := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		objects = append(objects, &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
		})
	}
	return objects
}

const corefile = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`

func kubeProxy(version string) *appsv1.DaemonSet {
	labels := map[string]string{"k8s-app": "kube-proxy"}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "kube-proxy", Labels: labels},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{
					{Name: "kube-proxy", Image: "registry.k8s.io/kube-proxy:" + strings.ReplaceAll(version, "+", "_")},
				}},
			},
		},
	}
}

// coredns claims to run: there is nothing that could schedule its pods.
func coredns() *appsv1.Deployment {
	labels := map[string]string{"k8s-app": "kube-dns"}
	replicas := int32(2)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "coredns", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{
					{Name: "coredns", Image: "registry.k8s.io/coredns/coredns:" + corednsVersion},
				}},
			},
		},
		Status: appsv1.DeploymentStatus{
			Replicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas, UpdatedReplicas: replicas,
		},
	}
}

// setHealth writes to the Node and its static pods whether their kubelet speaks.
func (c *Cluster) setHealth(ctx context.Context, name string, healthy bool) error {
	found := &corev1.Node{}
	if err := c.client.Get(ctx, client.ObjectKey{Name: name}, found); err != nil {
		return client.IgnoreNotFound(err)
	}
	changed := found.DeepCopy()
	changed.Status.Conditions = nodeConditions(healthy)
	if err := c.client.Patch(ctx, changed, client.MergeFrom(found)); err != nil {
		return err
	}
	pods := &corev1.PodList{}
	if err := c.client.List(ctx, pods, client.InNamespace(metav1.NamespaceSystem), client.HasLabels{"component"}); err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName != name {
			continue
		}
		changed := pod.DeepCopy()
		changed.Status.Conditions = podConditions(healthy)
		if err := c.client.Patch(ctx, changed, client.MergeFrom(pod)); err != nil {
			return err
		}
	}
	return nil
}
