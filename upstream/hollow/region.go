package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	inmemoryruntime "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/runtime"
)

// nodeMonitorGrace is how long kube-controller-manager waits for a silent kubelet (its default).
const nodeMonitorGrace = 40 * time.Second

const consoleLines = 200

// Region is everything that does not exist: servers, clusters and the load balancers before them.
type Region struct {
	ctx     context.Context
	delays  Delays
	workers bool // servers join clusters of real ones, and never make one
	store   *Store
	manager inmemoryruntime.Manager
	handler http.Handler
	routes  atomic.Pointer[map[string]*Cluster] // what answers, by VIP:PORT

	mu        sync.Mutex
	servers   map[string]*Server
	starts    map[string]context.CancelFunc // what servers do at the moment, by server
	clusters  map[string]*Cluster
	balancers map[string]*balancer
}

// NewRegion takes up what the store holds of an earlier process.
func NewRegion(ctx context.Context, store *Store, delays Delays, workers bool) (*Region, error) {
	r := &Region{
		ctx:       ctx,
		delays:    delays,
		workers:   workers,
		store:     store,
		manager:   inmemoryruntime.NewManager(newScheme()),
		servers:   map[string]*Server{},
		starts:    map[string]context.CancelFunc{},
		clusters:  map[string]*Cluster{},
		balancers: map[string]*balancer{},
	}
	r.routes.Store(&map[string]*Cluster{})
	if err := r.manager.Start(ctx); err != nil {
		return nil, err
	}
	r.handler = newWorkloadHandler(r)
	// The journal is kept from when the objects are back, and before anything changes them.
	if err := r.restoreClusters(); err != nil {
		return nil, err
	}
	if err := keepJournal(ctx, r.manager, store); err != nil {
		return nil, err
	}
	if err := r.restoreServers(); err != nil {
		return nil, err
	}
	return r, r.restoreBalancers()
}

func (r *Region) restoreClusters() error {
	for key, value := range r.store.All("cluster/") {
		var record clusterRecord
		if err := json.Unmarshal(value, &record); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		cluster, err := newCluster(record, r.manager)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if err := restoreObjects(r.ctx, r.manager, cluster, r.store); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		r.clusters[cluster.name] = cluster
	}
	return nil
}

func (r *Region) restoreServers() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, value := range r.store.All("server/") {
		server := &Server{}
		if err := json.Unmarshal(value, server); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		r.servers[server.ID] = server
	}
	for _, cluster := range r.clusters {
		if err := r.watchSilent(cluster); err != nil {
			return err
		}
	}
	for _, server := range r.servers {
		if !server.Off {
			r.start(server)
		}
	}
	return nil
}

func (r *Region) restoreBalancers() error {
	for key, value := range r.store.All("balancer/") {
		wanted := Balancer{}
		if err := json.Unmarshal(value, &wanted); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if err := r.EnsureBalancer(wanted); err != nil {
			return err
		}
	}
	return nil
}

// watchSilent sees to the Nodes whose servers went away while this process was not there.
func (r *Region) watchSilent(cluster *Cluster) error {
	nodes := &corev1.NodeList{}
	if err := cluster.client.List(r.ctx, nodes); err != nil {
		return err
	}
	for i := range nodes.Items {
		cluster.remember(&nodes.Items[i])
		r.silenceLater(cluster, nodes.Items[i].Name, nodes.Items[i].Status.NodeInfo.SystemUUID)
	}
	return nil
}

// EnsureServer makes the server unless it exists, starts it if it is off, and returns when its
// init runs.
func (r *Region) EnsureServer(ctx context.Context, wanted Server) error {
	r.mu.Lock()
	known, exists := r.servers[wanted.ID]
	runs := exists && !known.Off
	r.mu.Unlock()
	if runs {
		return nil
	}
	if !r.pause(ctx, r.delays.Server) {
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	server, exists := r.servers[wanted.ID]
	if exists && !server.Off {
		return nil // somebody else asked for it, too
	}
	if !exists {
		server = &wanted
		r.servers[wanted.ID] = server
	}
	server.Off = false
	r.say(server, "booted")
	r.start(server)
	return r.save(server)
}

// DeleteServer pulls the plug and forgets the server.
func (r *Region) DeleteServer(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	server, ok := r.servers[id]
	if !ok {
		return nil
	}
	r.halt(server)
	delete(r.servers, id)
	if err := r.store.Delete("server/" + id); err != nil {
		return err
	}
	return r.dropDeserted(server.Cluster)
}

// Power switches a server off or on; false when there is none of that id.
func (r *Region) Power(ctx context.Context, id string, on bool) (bool, error) {
	r.mu.Lock()
	server, ok := r.servers[id]
	if !ok {
		r.mu.Unlock()
		return false, nil
	}
	if on {
		wanted := *server
		r.mu.Unlock()
		return true, r.EnsureServer(ctx, wanted)
	}
	defer r.mu.Unlock()
	r.halt(server)
	server.Off = true
	r.say(server, "powered off")
	return true, r.save(server)
}

// halt ends what the server does. Its Node is not told; others notice.
func (r *Region) halt(server *Server) {
	if cancel, ok := r.starts[server.ID]; ok {
		cancel()
		delete(r.starts, server.ID)
	}
	server.Etcd, server.APIServer = false, false
	cluster, ok := r.clusters[server.Cluster]
	if !ok {
		return
	}
	if server.Bootstrap.controlPlane() {
		if err := cluster.elect(r.ctx, r.alive(cluster)); err != nil {
			log.Printf("cluster %s: no leader: %v", cluster.name, err)
		}
		r.refresh()
	}
	r.silenceLater(cluster, server.Bootstrap.NodeName, server.ID)
}

// silenceLater marks the Node when its server has not run for long enough.
func (r *Region) silenceLater(cluster *Cluster, name, id string) {
	if server, ok := r.servers[id]; ok && !server.Off {
		return
	}
	time.AfterFunc(nodeMonitorGrace, func() {
		r.mu.Lock()
		server, ok := r.servers[id]
		runs := ok && !server.Off
		r.mu.Unlock()
		if runs || r.ctx.Err() != nil {
			return
		}
		found := &corev1.Node{}
		if err := cluster.client.Get(r.ctx, key(name), found); err != nil || found.Status.NodeInfo.SystemUUID != id {
			return // the Node is gone, or another server's by now
		}
		if err := cluster.setHealth(r.ctx, name, false); err != nil {
			log.Printf("cluster %s: node %s: %v", cluster.name, name, err)
		}
	})
}

// dropDeserted forgets a cluster when the last disk with its etcd data is gone.
func (r *Region) dropDeserted(name string) error {
	if _, ok := r.clusters[name]; !ok {
		return nil
	}
	for _, server := range r.servers {
		if server.Cluster == name && server.Bootstrap.controlPlane() {
			return nil
		}
	}
	delete(r.clusters, name)
	r.refresh()
	r.manager.DeleteResourceGroup(name)
	return errors.Join(
		r.store.Delete("cluster/"+name), r.store.Delete(versionKey(name)), r.store.DeleteAll(objectPrefix(name)),
	)
}

// alive are the nodes whose etcd member runs.
func (r *Region) alive(cluster *Cluster) map[string]bool {
	found := map[string]bool{}
	for _, server := range r.servers {
		if server.Cluster == cluster.name && server.Etcd {
			found[server.Bootstrap.NodeName] = true
		}
	}
	return found
}

// serves says whether the cluster's API can answer: etcd has a quorum.
func (r *Region) serves(cluster *Cluster) bool {
	members, err := cluster.etcdPods(r.ctx)
	if err != nil {
		return false
	}
	alive, votes := r.alive(cluster), 0
	for _, pod := range members {
		if alive[pod.Spec.NodeName] {
			votes++
		}
	}
	return votes > len(members)/2
}

// Servers are all servers, with whether they run.
func (r *Region) Servers() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := map[string]bool{}
	for id, server := range r.servers {
		states[id] = !server.Off
	}
	return states
}

// Console is what a server printed; false when there is none of that id.
func (r *Region) Console(id string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	server, ok := r.servers[id]
	if !ok {
		return "", false
	}
	return strings.Join(append(slices.Clone(server.Console), ""), "\n"), true
}

// say prints to the server's console, the same thing only once.
func (r *Region) say(server *Server, text string) {
	if n := len(server.Console); n > 0 && strings.HasSuffix(server.Console[n-1], " "+text) {
		return
	}
	line := time.Now().UTC().Format(time.RFC3339) + " " + server.Hostname + " " + text
	server.Console = append(server.Console, line)
	if extra := len(server.Console) - consoleLines; extra > 0 {
		server.Console = slices.Delete(server.Console, 0, extra)
	}
}

func (r *Region) save(server *Server) error {
	return r.store.Put("server/"+server.ID, server)
}

// pause waits as long as a step of a start takes; false when it was interrupted.
func (r *Region) pause(ctx context.Context, step time.Duration) bool {
	step += time.Duration(rand.Float64() * r.delays.Jitter * float64(step))
	timer := time.NewTimer(step)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
