package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	inmemoryruntime "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/runtime"
)

// kinds are those that upstream's in-memory API server serves.
func kinds() []client.Object {
	return []client.Object{
		&corev1.ConfigMap{}, &corev1.Endpoints{}, &corev1.Namespace{}, &corev1.Node{}, &corev1.Pod{}, //nolint:staticcheck
		&corev1.Secret{}, &corev1.Service{}, &corev1.ServiceAccount{},
		&rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}, &rbacv1.Role{}, &rbacv1.RoleBinding{},
		&appsv1.DaemonSet{}, &appsv1.Deployment{},
		&storagev1.VolumeAttachment{}, &storagev1.CSIDriver{},
		&apiextensionsv1.CustomResourceDefinition{}, &policyv1.PodDisruptionBudget{},
	}
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, rbacv1.AddToScheme, storagev1.AddToScheme,
		apiextensionsv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err) // the built-in kinds contradict each other
		}
	}
	return scheme
}

func objectPrefix(cluster string) string { return "object/" + cluster + "/" }

// journal writes every change of an object to the store: it is the clusters' etcd.
type journal struct {
	store *Store
}

func keepJournal(ctx context.Context, manager inmemoryruntime.Manager, store *Store) error {
	for _, kind := range kinds() {
		informer, err := manager.GetCache().GetInformer(ctx, kind)
		if err != nil {
			return err
		}
		if err := informer.AddEventHandler(&journal{store: store}); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) OnCreate(cluster string, object client.Object)    { j.record(cluster, object) }
func (j *journal) OnUpdate(cluster string, _, object client.Object) { j.record(cluster, object) }
func (j *journal) OnDelete(cluster string, object client.Object)    { j.record(cluster, object) }
func (j *journal) OnGeneric(_ string, _ client.Object)              {}

func versionKey(cluster string) string { return "version/" + cluster }

func objectKey(cluster string, object client.Object) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	return objectPrefix(cluster) + fmt.Sprintf("%s/%s/%s", kind, object.GetNamespace(), object.GetName())
}

func (j *journal) record(cluster string, object client.Object) {
	var err error
	if object.GetDeletionTimestamp() != nil && len(object.GetFinalizers()) == 0 {
		// The deletion has the newest version, and nothing else will tell of it.
		err = errors.Join(
			j.store.Delete(objectKey(cluster, object)),
			j.store.Put(versionKey(cluster), version(object)),
		)
	} else {
		err = j.store.Put(objectKey(cluster, object), object)
	}
	if err != nil {
		log.Fatalf("journal: %v", err) // going on would promise what a restart cannot keep
	}
}

// restoreObjects fills a cluster with what the journal holds. Every object keeps its resource
// version, so that watches of before the restart go on without a gap; the versions between are
// used up by an object of no meaning.
func restoreObjects(
	ctx context.Context, manager inmemoryruntime.Manager, cluster *Cluster, store *Store,
) error {
	newest := 0 // of all, deletions included
	if value, ok := store.All(versionKey(cluster.name))[versionKey(cluster.name)]; ok {
		if err := json.Unmarshal(value, &newest); err != nil {
			return err
		}
	}
	recorded := store.All(objectPrefix(cluster.name))
	objects := make([]client.Object, 0, len(recorded))
	for key, value := range recorded {
		object, err := decode(manager.GetScheme(), value)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if object.GetDeletionTimestamp() == nil {
			objects = append(objects, object)
		}
	}
	slices.SortFunc(objects, func(a, b client.Object) int { return version(a) - version(b) })
	padding := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "vks-restored"}}
	orphans := []client.Object{}
	last := 0
	for _, object := range objects {
		for ; last < version(object)-1; last++ {
			if err := pad(ctx, cluster, padding, last); err != nil {
				return err
			}
		}
		wanted := version(object)
		object.SetResourceVersion("")
		if err := cluster.client.Create(ctx, object); apierrors.IsBadRequest(err) {
			orphans = append(orphans, object) // its owner was changed later than itself
			continue
		} else if err != nil {
			return err
		}
		last = wanted
	}
	for ; last < newest; last++ {
		if err := pad(ctx, cluster, padding, last); err != nil {
			return err
		}
	}
	for _, object := range orphans {
		if err := cluster.client.Create(ctx, object); err != nil {
			return err
		}
	}
	return client.IgnoreNotFound(cluster.client.Delete(ctx, padding))
}

func pad(ctx context.Context, cluster *Cluster, padding *corev1.ConfigMap, number int) error {
	if padding.ResourceVersion == "" {
		return cluster.client.Create(ctx, padding)
	}
	padding.Data = map[string]string{"version": strconv.Itoa(number)}
	return cluster.client.Update(ctx, padding)
}

func decode(scheme *runtime.Scheme, value json.RawMessage) (client.Object, error) {
	meta := &metav1.TypeMeta{}
	if err := json.Unmarshal(value, meta); err != nil {
		return nil, err
	}
	made, err := scheme.New(meta.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	object, ok := made.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%s is not an object", meta.Kind)
	}
	return object, json.Unmarshal(value, object)
}

func version(object client.Object) int {
	number, err := strconv.Atoi(object.GetResourceVersion())
	if err != nil {
		return 0
	}
	return number
}
