// Command vks-hollow is what hollow servers are made of: it acts on user data instead of booting,
// and serves the API servers and etcds of the clusters that come of it, with upstream Cluster
// API's in-memory server. It is driven over a Unix socket, by the local cloud's back end "hollow".
//
// With --workers it runs beside real servers: hollow ones join the clusters that those make, over
// the network, as kubeadm and kubelet do, and upstream's simulator kwok plays their pods.
//
//	vks-hollow --home DIRECTORY [--workers] [--server-delay 1s --node-delay 1s …]
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/emicklei/go-restful/v3"
	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// Below the home directory; relative, because the path of a Unix socket is limited to 107 bytes.
const (
	socketName  = "hollow.sock"
	journalName = "hollow.journal"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	ctrllog.SetLogger(logr.Discard())
	restful.PrettyPrintResponses = false // an event of a watch is one line
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	home := flag.String("home", "", "directory of the socket and the journal")
	delays := Delays{}
	flag.DurationVar(&delays.Server, "server-delay", 0, "until a server's init runs")
	flag.DurationVar(&delays.Node, "node-delay", 0, "from then until its Node is there")
	flag.DurationVar(&delays.Etcd, "etcd-delay", 0, "from then until its etcd member serves")
	flag.DurationVar(&delays.APIServer, "apiserver-delay", 0, "from the Node until the API server serves")
	flag.Float64Var(&delays.Jitter, "jitter", 0, "lengthen each delay by up to this share of it")
	workers := flag.Bool("workers", false, "servers are workers that join clusters of real ones")
	flag.Parse()

	syscall.Umask(0o077)
	if err := os.Chdir(*home); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	store, err := OpenStore(journalName)
	if err != nil {
		return err
	}
	region, err := NewRegion(ctx, store, delays, *workers)
	if err != nil {
		return err
	}
	if err := os.Remove(socketName); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socketName)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: control(region), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
