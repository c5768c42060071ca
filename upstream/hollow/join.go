package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate/csr"
	"k8s.io/client-go/util/keyutil"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/token/jws"
)

// joinAttempt is how long one attempt may take, the signing of the certificate included.
const joinAttempt = time.Minute

// Identity is what a joined kubelet has on its disk: whom it talks to, and as who.
type Identity struct {
	Server      string `json:"server"`
	CA          []byte `json:"ca"`
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`
}

// config is kubelet's, after the TLS bootstrap.
func (i *Identity) config() *rest.Config {
	config := &rest.Config{Host: i.Server}
	config.CAData, config.CertData, config.KeyData = i.CA, i.Certificate, i.Key
	config.ContentType = "application/vnd.kubernetes.protobuf"
	return config
}

// join does what `kubeadm join` does for a worker: finds the cluster by its token, trusts it by the
// pinned certificate authority, and has a certificate made for kubelet.
func join(ctx context.Context, b *Bootstrap) (*Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, joinAttempt)
	defer cancel()
	cluster, err := discoverCluster(ctx, b)
	if err != nil {
		return nil, err
	}
	bootstrap := &rest.Config{Host: cluster.Server, BearerToken: b.Token}
	bootstrap.CAData = cluster.CertificateAuthorityData
	api, done, err := connect(bootstrap)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := checkName(ctx, api, b.NodeName); err != nil {
		return nil, err
	}
	certificate, key, err := requestCertificate(ctx, api, b.NodeName)
	if err != nil {
		return nil, fmt.Errorf("TLS bootstrap: %w", err)
	}
	return &Identity{
		Server: cluster.Server, CA: cluster.CertificateAuthorityData, Certificate: certificate, Key: key,
	}, nil
}

// discoverCluster reads the public ConfigMap cluster-info before it can trust the server, checks
// the token's signature and the pinned certificate authority, and reads it again from a server
// that this authority vouches for.
func discoverCluster(ctx context.Context, b *Bootstrap) (*clientcmdapi.Cluster, error) {
	id, secret, _ := strings.Cut(b.Token, ".")
	anybody := &rest.Config{Host: "https://" + b.Endpoint}
	anybody.Insecure = true
	info, err := clusterInfo(ctx, anybody)
	if err != nil {
		return nil, err
	}
	text := info[bootstrapapi.KubeConfigKey]
	signature, signed := info[bootstrapapi.JWSSignatureKeyPrefix+id]
	if !signed {
		return nil, fmt.Errorf("cluster-info is not signed with token %s: it has expired, or is not there yet", id)
	}
	if !jws.DetachedTokenIsValid(signature, text, id, secret) {
		return nil, fmt.Errorf("cluster-info: the signature with token %s is wrong", id)
	}
	config, err := clientcmd.Load([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("cluster-info: %w", err)
	}
	for _, cluster := range config.Clusters {
		if err := checkPins(cluster.CertificateAuthorityData, b.CAHashes); err != nil {
			return nil, err
		}
		trusted := &rest.Config{Host: anybody.Host}
		trusted.CAData = cluster.CertificateAuthorityData
		again, err := clusterInfo(ctx, trusted)
		if err != nil {
			return nil, err
		}
		if again[bootstrapapi.KubeConfigKey] != text {
			return nil, errors.New("cluster-info differs when it is read by way of TLS")
		}
		return cluster, nil
	}
	return nil, errors.New("cluster-info names no cluster")
}

func clusterInfo(ctx context.Context, config *rest.Config) (map[string]string, error) {
	api, done, err := connect(config)
	if err != nil {
		return nil, err
	}
	defer done()
	info, err := api.CoreV1().ConfigMaps(metav1.NamespacePublic).Get(
		ctx, bootstrapapi.ConfigMapClusterInfo, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("cluster-info: %w", err)
	}
	return info.Data, nil
}

// checkPins holds a certificate authority against the hashes of public keys (RFC 7469) that the
// join configuration pins. None is pinned by nobody who means it.
func checkPins(ca []byte, pins []string) error {
	certificates, err := cert.ParseCertsPEM(ca)
	if err != nil {
		return fmt.Errorf("cluster-info: %w", err)
	}
	for _, certificate := range certificates {
		sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
		if slices.Contains(pins, "sha256:"+hex.EncodeToString(sum[:])) {
			return nil
		}
	}
	return errors.New("cluster-info: the certificate authority is not one of the pinned ones")
}

// checkName refuses the name of a living node, as kubeadm does.
func checkName(ctx context.Context, api kubernetes.Interface, name string) error {
	found, err := api.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return fmt.Errorf("a node %s exists and is Ready", name)
		}
	}
	return nil
}

// requestCertificate asks for a client certificate of the node, which the cluster's controllers
// approve and sign, and waits for it. The key never leaves.
func requestCertificate(ctx context.Context, api kubernetes.Interface, node string) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	subject := &pkix.Name{Organization: []string{"system:nodes"}, CommonName: "system:node:" + node}
	request, err := cert.MakeCSR(private, subject, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}
	name, uid, err := csr.RequestCertificateWithContext(
		ctx, api, request, "", certificatesv1.KubeAPIServerClientKubeletSignerName, nil, usages, private)
	if err != nil {
		return nil, nil, err
	}
	if certificate, err = csr.WaitForCertificate(ctx, api, name, uid); err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(private)
	return bytes.TrimSpace(certificate), key, err
}

// connect makes a client with a connection of its own: client-go would keep those of servers that
// are long gone. `done` closes it.
func connect(config *rest.Config) (api *kubernetes.Clientset, done func(), err error) {
	config.UserAgent = "kubelet/hollow"
	config.QPS, config.Burst = 50, 100 // kubelet's own
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, nil, err
	}
	transport := utilnet.SetTransportDefaults(&http.Transport{TLSClientConfig: tls})
	wrapped, err := rest.HTTPWrappersForConfig(config, transport)
	if err != nil {
		return nil, nil, err
	}
	api, err = kubernetes.NewForConfigAndClient(config, &http.Client{Transport: wrapped})
	return api, transport.CloseIdleConnections, err
}
