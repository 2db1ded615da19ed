// Command main makes and verifies certificates with Go's own library, for the tests beside it.
//
//	main make DIR                            ca.crt ca.key sec1.crt sec1.key pkcs8.crt pkcs8.key
//	main verify CA CERT KEY [HOST]           prints the common name; HOST must be one of its names
//	main sign CACERT CAKEY OUT               signs a certificate with an EC PRIVATE KEY of ours
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

func main() {
	switch arguments := os.Args[2:]; os.Args[1] {
	case "make":
		makeAll(arguments[0])
	case "verify":
		verify(arguments[0], arguments[1], arguments[2], arguments[3:])
	case "sign":
		sign(arguments[0], arguments[1], arguments[2])
	}
}

func makeAll(dir string) {
	caKey := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "go-ca"},
		NotBefore:             time.Now(),
		NotAfter:              time.Now().Add(48 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &caKey.PublicKey, caKey))
	ca := must(x509.ParseCertificate(der))
	write(dir, "ca.crt", "CERTIFICATE", der)
	write(dir, "ca.key", "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(caKey)))
	for _, form := range []string{"sec1", "pkcs8"} {
		key := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
		write(dir, form+".crt", "CERTIFICATE", instance(ca, caKey, key, form))
		if form == "sec1" {
			write(dir, form+".key", "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key)))
		} else {
			write(dir, form+".key", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
		}
	}
}

func instance(ca *x509.Certificate, caKey, key *ecdsa.PrivateKey, name string) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Now(),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	return must(x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey))
}

func verify(caFile, certFile, keyFile string, hosts []string) {
	pair := must(tls.LoadX509KeyPair(certFile, keyFile))
	certificate := must(x509.ParseCertificate(pair.Certificate[0]))
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(must(os.ReadFile(caFile))) {
		panic("no CA in " + caFile)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		must(certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}}))
	}
	for _, host := range hosts {
		if err := certificate.VerifyHostname(host); err != nil {
			panic(err)
		}
	}
	fmt.Print(certificate.Subject.CommonName)
}

func sign(caCertFile, caKeyFile, out string) {
	block, _ := pem.Decode(must(os.ReadFile(caCertFile)))
	ca := must(x509.ParseCertificate(block.Bytes))
	keyBlock, _ := pem.Decode(must(os.ReadFile(caKeyFile)))
	caKey := must(x509.ParseECPrivateKey(keyBlock.Bytes))
	key := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	write(out, "signed.crt", "CERTIFICATE", instance(ca, caKey, key, "signed"))
	write(out, "signed.key", "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key)))
}

func write(dir, file, label string, der []byte) {
	data := pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
