// The same controller for controller-runtime: main KUBECONFIG WORKERS.
package main

import (
	"context"
	"os"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	crscheme "sigs.k8s.io/controller-runtime/pkg/scheme"
)

const finalizer = "bench.vks.verda/widget"

type reconciler struct{ client.Client }

func (r reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	widget := &Widget{}
	if err := r.Get(ctx, request.NamespacedName, widget); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := widget.DeepCopy()
	if !widget.DeletionTimestamp.IsZero() {
		if controllerutil.RemoveFinalizer(widget, finalizer) {
			return ctrl.Result{}, r.Patch(ctx, widget, optimistic(before))
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(widget, finalizer) {
		if err := r.Patch(ctx, widget, optimistic(before)); err != nil {
			return ctrl.Result{}, err
		}
		before = widget.DeepCopy()
	}
	if widget.Status.ObservedGeneration != widget.Generation {
		widget.Status.ObservedGeneration = widget.Generation
		return ctrl.Result{}, r.Status().Patch(ctx, widget, client.MergeFrom(before))
	}
	return ctrl.Result{}, nil
}

// Finalizers are a list, which a merge patch replaces whole: only on what was read.
func optimistic(before *Widget) client.Patch {
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}

func main() {
	ctrl.SetLogger(zap.New())
	log := ctrl.Log.WithName("bench")
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Error(err, "ended")
		os.Exit(1)
	}
}

func run(kubeconfig, workersText string) error {
	workers, err := strconv.Atoi(workersText)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // the default would be what is measured
	scheme := runtime.NewScheme()
	builder := &crscheme.Builder{GroupVersion: schema.GroupVersion{Group: "bench.vks.verda", Version: "v1"}}
	if err := builder.Register(&Widget{}, &WidgetList{}).AddToScheme(scheme); err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: server.Options{BindAddress: "127.0.0.1:0"},
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		For(&Widget{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconciler{manager.GetClient()})
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}
