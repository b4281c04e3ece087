package runner

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// caVariable is the file variable with which jobs, and git, check the server's certificate. The name is gitlab-runner's.
const caVariable = "CI_SERVER_TLS_CA_FILE"

// trusting checks servers against the system's authorities and those in a file.
func trusting(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("authorities of the server: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities of the server: %s holds no certificate in PEM form", file)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// authority is the variable with the file of authorities, read for each job, since certificates are renewed.
func (r *Runner) authority() ([]variable, error) {
	if r.config.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(r.config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("authorities of the server: %w", err)
	}
	return []variable{{Key: caVariable, Value: string(pem), File: true, Raw: true}}, nil
}
