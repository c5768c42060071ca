package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
)

// balancer listens on the address of a load balancer and leads to the cluster behind it.
type balancer struct {
	Balancer
	region   *Region
	listener net.Listener
	server   *http.Server

	mu          sync.Mutex
	connections map[net.Conn]struct{}
}

// EnsureBalancer makes the load balancer listen, and takes its members over.
func (r *Region) EnsureBalancer(wanted Balancer) error {
	r.mu.Lock()
	known, ok := r.balancers[wanted.ID]
	if ok && known.Address == wanted.Address {
		defer r.mu.Unlock()
		known.Balancer = wanted
		r.refresh()
		return r.store.Put("balancer/"+wanted.ID, wanted)
	}
	r.mu.Unlock()
	if err := r.RemoveBalancer(wanted.ID); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", wanted.Address)
	if err != nil {
		return fmt.Errorf("load balancer %s: %w", wanted.ID, err)
	}
	made := &balancer{Balancer: wanted, region: r, listener: listener, connections: map[net.Conn]struct{}{}}
	made.server = &http.Server{
		Handler:   r.handler,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: made.config},
		ErrorLog:  log.New(discard{}, "", 0), // a health check that only connects is no error
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.balancers[wanted.ID] = made
	r.refresh()
	go made.server.ServeTLS(made, "", "") //nolint:errcheck // it ends when the listener is closed
	return r.store.Put("balancer/"+wanted.ID, wanted)
}

// RemoveBalancer closes the load balancer and its connections. An unknown id is a success.
func (r *Region) RemoveBalancer(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.balancers[id]
	if !ok {
		return nil
	}
	delete(r.balancers, id)
	r.refresh()
	known.server.Close()
	known.closeAll()
	return r.store.Delete("balancer/" + id)
}

// Balancers are the ids of all load balancers.
func (r *Region) Balancers() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := []string{}
	for id := range r.balancers {
		ids = append(ids, id)
	}
	return ids
}

// MembersOnline says of each member whether its API server runs.
func (r *Region) MembersOnline(id string) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	online := map[string]bool{}
	known, ok := r.balancers[id]
	if !ok {
		return online
	}
	running := map[string]bool{}
	for _, server := range r.servers {
		if server.APIServer && server.Bootstrap.Endpoint == known.Address {
			running[server.Address] = true
		}
	}
	for _, member := range known.Members {
		online[member.ID] = running[member.Address]
	}
	return online
}

// refresh finds out where each load balancer leads, and ends the connections of those that lead
// nowhere any more. To be called with the lock, after whatever may have changed that.
func (r *Region) refresh() {
	routes := map[string]*Cluster{}
	for _, balancer := range r.balancers {
		if cluster := r.target(balancer.Balancer); cluster != nil {
			routes[balancer.Address] = cluster
		} else {
			balancer.closeAll()
		}
	}
	r.routes.Store(&routes)
}

// membersChanged takes notice of what a call to etcd may have done to the quorum.
func (r *Region) membersChanged() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
}

// clusterAt is the cluster that answers at VIP:PORT now.
func (r *Region) clusterAt(address string) *Cluster {
	return (*r.routes.Load())[address]
}

// member says whether an etcd pod of the cluster lives.
func (r *Region) member(cluster *Cluster, pod string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alive(cluster)[strings.TrimPrefix(pod, "etcd-")]
}

// config picks certificates: a port-forward to etcd names the pod as the server that it wants.
func (b *balancer) config(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	cluster := b.region.clusterAt(b.Address)
	if cluster == nil {
		return nil, fmt.Errorf("nothing answers behind %s", b.Address)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
	}
	if !strings.HasPrefix(hello.ServerName, "etcd-") {
		return clientAuth(config, cluster.api, cluster.ca.pool(), tls.VerifyClientCertIfGiven), nil
	}
	if !b.region.member(cluster, hello.ServerName) {
		return nil, fmt.Errorf("%s does not run", hello.ServerName)
	}
	certificate, err := cluster.memberCertificate(hello.ServerName)
	if err != nil {
		return nil, err
	}
	return clientAuth(config, certificate, cluster.etcdCA.pool(), tls.RequireAndVerifyClientCert), nil
}

func clientAuth(
	config *tls.Config, certificate *tls.Certificate, pool *x509.CertPool, kind tls.ClientAuthType,
) *tls.Config {
	config.Certificates = []tls.Certificate{*certificate}
	config.ClientCAs = pool
	config.ClientAuth = kind
	return config
}

// Accept takes connections as HAProxy does: one that leads nowhere is closed at once.
func (b *balancer) Accept() (net.Conn, error) {
	for {
		connection, err := b.listener.Accept()
		if err != nil {
			return nil, err
		}
		if b.region.clusterAt(b.Address) == nil {
			connection.Close()
			continue
		}
		b.mu.Lock()
		b.connections[connection] = struct{}{}
		b.mu.Unlock()
		return &tracked{Conn: connection, balancer: b}, nil
	}
}

func (b *balancer) Close() error   { return b.listener.Close() }
func (b *balancer) Addr() net.Addr { return b.listener.Addr() }

func (b *balancer) closeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for connection := range b.connections {
		connection.Close()
	}
}

type tracked struct {
	net.Conn
	balancer *balancer
}

func (t *tracked) Close() error {
	t.balancer.mu.Lock()
	delete(t.balancer.connections, t.Conn)
	t.balancer.mu.Unlock()
	return t.Conn.Close()
}

type discard struct{}

func (discard) Write(data []byte) (int, error) { return len(data), nil }

// localAddress is the VIP:PORT that a request came to.
func localAddress(ctx context.Context) string {
	if address, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr); ok {
		return address.String()
	}
	return ""
}
