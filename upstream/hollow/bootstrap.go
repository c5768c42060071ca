package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	retryJoin = time.Second
	// joinTimeout is kubeadm's for discovery: what fails for longer has failed.
	joinTimeout = 5 * time.Minute
)

var errBusy = errors.New("interrupted")

func key(name string) client.ObjectKey { return client.ObjectKey{Name: name} }

// start lets a server run in the background: bootstrap it, or come back to what it was.
func (r *Region) start(server *Server) {
	ctx, cancel := context.WithCancel(r.ctx)
	r.starts[server.ID] = cancel
	go r.run(ctx, server)
}

func (r *Region) run(ctx context.Context, server *Server) {
	if server.Bootstrap == nil {
		if server.Problem != "" {
			r.report(server, "cloud-init: "+server.Problem)
		}
		return
	}
	bootstrap := r.bootstrap
	if r.workers {
		bootstrap = r.runWorker
	}
	deadline := time.Now().Add(joinTimeout)
	for {
		err := bootstrap(ctx, server)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case errors.Is(err, errNotWorker), server.Identity == nil && time.Now().After(deadline):
			r.report(server, "kubeadm gives up: "+err.Error())
			return
		}
		r.report(server, "kubeadm: "+err.Error())
		if !r.pause(ctx, retryJoin) {
			return
		}
	}
}

// bootstrap does what kubeadm and kubelet do; every step may be repeated.
func (r *Region) bootstrap(ctx context.Context, server *Server) error {
	r.mu.Lock()
	serves, joined := server.APIServer, server.Joined
	r.mu.Unlock()
	if !serves && !r.pause(ctx, r.delays.Node) {
		return errBusy
	}
	cluster, err := r.discover(ctx, server)
	if err != nil {
		return err
	}
	if joined {
		return r.resume(ctx, cluster, server)
	}
	if err := r.commit(ctx, server, func() { server.Cluster = cluster.name }); err != nil {
		return err
	}
	if err := r.register(ctx, cluster, server); err != nil {
		return err
	}
	if server.Bootstrap.controlPlane() {
		if err := r.startControlPlane(ctx, cluster, server); err != nil {
			return err
		}
	}
	return r.commit(ctx, server, func() {
		server.Joined = true
		r.say(server, "bootstrapped; kubelet "+server.Version+" runs")
	})
}

// resume brings a member of the cluster back that was off, or whose process was killed.
func (r *Region) resume(ctx context.Context, cluster *Cluster, server *Server) error {
	err := r.commit(ctx, server, func() {
		server.Etcd = server.Bootstrap.controlPlane()
		server.APIServer = server.Etcd
	})
	if err != nil {
		return err
	}
	found := &corev1.Node{}
	if err := cluster.client.Get(ctx, key(server.Bootstrap.NodeName), found); err != nil {
		return client.IgnoreNotFound(err) // deleted meanwhile: kubelet does not register again
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return cluster.setHealth(ctx, found.Name, true)
}

// discover finds the cluster that the server belongs to; `init` makes it.
func (r *Region) discover(ctx context.Context, server *Server) (*Cluster, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := server.Bootstrap
	if server.Cluster != "" {
		cluster, ok := r.clusters[server.Cluster]
		if !ok {
			return nil, errors.New("the cluster does not exist any more")
		}
		return cluster, nil
	}
	if b.Role == "init" {
		return r.create(server)
	}
	for _, hash := range b.CAHashes {
		cluster, ok := r.clusters[hash]
		if !ok {
			continue
		}
		if !r.reachable(cluster) {
			return nil, fmt.Errorf("%s does not answer", b.Endpoint)
		}
		return cluster, cluster.checkToken(ctx, b.Token)
	}
	return nil, fmt.Errorf("%s: no cluster with the pinned certificate authority", b.Endpoint)
}

func (r *Region) create(server *Server) (*Cluster, error) {
	b := server.Bootstrap
	cluster, err := newCluster(clusterRecord{
		Endpoint: b.Endpoint, Files: b.Files, PodSubnet: b.PodSubnet, Version: server.Version,
	}, r.manager)
	if err != nil {
		return nil, err
	}
	if known, ok := r.clusters[cluster.name]; ok {
		return known, nil
	}
	r.clusters[cluster.name] = cluster
	return cluster, r.store.Put("cluster/"+cluster.name, cluster.clusterRecord)
}

// checkToken lets a node in as the API server does: by a bootstrap token that has not expired.
func (c *Cluster) checkToken(ctx context.Context, token string) error {
	id, secret, _ := strings.Cut(token, ".")
	found := &corev1.Secret{}
	name := client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: "bootstrap-token-" + id}
	if err := c.client.Get(ctx, name, found); err != nil {
		return fmt.Errorf("bootstrap token %s: %w", id, err)
	}
	data := func(field string) string {
		if value, ok := found.StringData[field]; ok {
			return value
		}
		return string(found.Data[field])
	}
	if subtle.ConstantTimeCompare([]byte(data("token-secret")), []byte(secret)) != 1 {
		return fmt.Errorf("bootstrap token %s: wrong secret", id)
	}
	if until, err := time.Parse(time.RFC3339, data("expiration")); err == nil && until.Before(time.Now()) {
		return fmt.Errorf("bootstrap token %s has expired", id)
	}
	return nil
}

// register creates the Node as kubelet does. A name that another living node has is refused.
func (r *Region) register(ctx context.Context, cluster *Cluster, server *Server) error {
	found := &corev1.Node{}
	err := cluster.client.Get(ctx, key(server.Bootstrap.NodeName), found)
	if err == nil && found.Status.NodeInfo.SystemUUID != server.ID {
		for _, condition := range found.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return fmt.Errorf("a node %s exists and is Ready", found.Name)
			}
		}
		err = cluster.client.Delete(ctx, found)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return cluster.ensure(ctx, node(server, cluster.podRange(server.Bootstrap.NodeName)))
}

// startControlPlane starts etcd and the API server, both from when kubelet runs.
func (r *Region) startControlPlane(ctx context.Context, cluster *Cluster, server *Server) error {
	if !r.pause(ctx, r.delays.Etcd) {
		return errBusy
	}
	annotations, err := cluster.etcdAnnotations(ctx)
	if err != nil {
		return err
	}
	// Before it is listed: kubeadm adds a learner, which has no vote until it lives.
	if err := r.commit(ctx, server, func() { server.Etcd = true }); err != nil {
		return err
	}
	etcd := "https://" + server.Address
	annotations["kubeadm.kubernetes.io/etcd.advertise-client-urls"] = etcd + ":2379"
	if err := cluster.ensure(ctx, staticPod("etcd", server, annotations)); err != nil {
		return err
	}
	if !r.pause(ctx, max(0, r.delays.APIServer-r.delays.Etcd)) {
		return errBusy
	}
	advertise := map[string]string{
		"kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint": server.Address + ":6443",
	}
	pods := []client.Object{
		staticPod("kube-apiserver", server, advertise),
		staticPod("kube-controller-manager", server, nil),
		staticPod("kube-scheduler", server, nil),
	}
	if server.Bootstrap.Role == "init" {
		pods = append(pods, kubeadmObjects(server)...)
	}
	for _, object := range pods {
		if err := cluster.ensure(ctx, object); err != nil {
			return err
		}
	}
	return r.commit(ctx, server, func() { server.APIServer = true })
}

// reachable says whether a load balancer leads to an API server that answers.
func (r *Region) reachable(cluster *Cluster) bool {
	return r.clusterAt(cluster.Endpoint) == cluster
}

// target is the cluster that answers behind a load balancer: one with an enabled, living member.
func (r *Region) target(balancer Balancer) *Cluster {
	for _, server := range r.servers {
		cluster := r.clusters[server.Cluster]
		if cluster == nil || !server.APIServer || cluster.Endpoint != balancer.Address {
			continue
		}
		behind := slices.ContainsFunc(balancer.Members, func(member Member) bool {
			return member.Enabled && member.Address == server.Address
		})
		if behind && r.serves(cluster) {
			return cluster
		}
	}
	return nil
}

// commit changes and saves the server, unless it was halted meanwhile.
func (r *Region) commit(ctx context.Context, server *Server, change func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return errBusy
	}
	change()
	if server.Bootstrap.controlPlane() {
		r.refresh()
	}
	return r.save(server)
}

func (r *Region) report(server *Server, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say(server, text)
	if err := r.save(server); err != nil {
		log.Fatalf("journal: %v", err)
	}
}
