package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Delays are how long the steps of a start take; each is lengthened by up to Jitter of itself.
type Delays struct {
	Server    time.Duration // until the server's init runs
	Node      time.Duration // from then until kubelet has registered the Node
	Etcd      time.Duration // from then until the etcd member serves
	APIServer time.Duration // from then until the API server serves
	Jitter    float64
}

// Server is a machine that is not there: what it was made from, and how far its start came.
type Server struct {
	ID        string     `json:"id"`
	Hostname  string     `json:"hostname"`
	Address   string     `json:"address"`
	CPUs      int64      `json:"cpus"`
	MemoryMiB int64      `json:"memoryMiB"`
	Version   string     `json:"version"`   // of the Kubernetes programs in its image
	Bootstrap *Bootstrap `json:"bootstrap"` // nil: it boots and stays alone
	Problem   string     `json:"problem"`   // why its user data cannot be acted on

	Off       bool      `json:"off"`
	Cluster   string    `json:"cluster,omitempty"` // the cluster that it belongs to
	Joined    bool      `json:"joined,omitempty"`  // its bootstrap has come to its end
	Etcd      bool      `json:"etcd,omitempty"`
	APIServer bool      `json:"apiServer,omitempty"`
	Identity  *Identity `json:"identity,omitempty"` // with which its kubelet talks to a real API server
	Console   []string  `json:"console,omitempty"`
}

// Bootstrap is what the user data tells kubeadm to do.
type Bootstrap struct {
	Role        string            `json:"role"` // init, control-plane or worker
	NodeName    string            `json:"nodeName"`
	ProviderID  string            `json:"providerID"`
	Annotations map[string]string `json:"annotations"`
	Labels      map[string]string `json:"labels"`
	Taints      []corev1.Taint    `json:"taints"`
	Endpoint    string            `json:"endpoint"` // HOST:PORT of the API server

	// For init and control-plane: the files below /etc/kubernetes/pki.
	Files map[string]string `json:"files"`
	// For init: kubeadm's documents, and the range of the pods.
	ClusterConfiguration string `json:"clusterConfiguration"`
	PodSubnet            string `json:"podSubnet"`
	// For control-plane and worker: discovery by bootstrap token.
	Token    string   `json:"token"`
	CAHashes []string `json:"caCertHashes"`
}

func (b *Bootstrap) controlPlane() bool { return b.Role != "worker" }

// Balancer is a load balancer in front of a cluster's API servers.
type Balancer struct {
	ID      string   `json:"id"`
	Address string   `json:"address"` // VIP:PORT
	Members []Member `json:"members"`
}

// Member is a server behind a load balancer.
type Member struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Enabled bool   `json:"enabled"`
}
