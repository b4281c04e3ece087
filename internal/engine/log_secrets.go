package engine

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// logSecrets lists what a log must not show: first the token of its job, also as git
// sends it, and the masked ones among the variables of the instance, the groups and
// the project. No other variable is masked.
func logSecrets(token string, owned []ci.Variable) []string {
	secrets := []string{token, base64.StdEncoding.EncodeToString([]byte("gitlab-ci-token:" + token))}
	for _, v := range owned {
		if v.Masked {
			secrets = append(secrets, v.Value)
		}
	}
	return secrets
}

// secretsWeight is what a list of secrets counts for in memory.
func secretsWeight(secrets []string) int {
	n := 100
	for _, secret := range secrets {
		n += len(secret) + 16
	}
	return n
}

// logSecrets lists what the log of a running job must not show: what it was when
// the job was taken, or now if another process gave it to its runner: the token tells,
// since a job that was put back gets another one.
func (e *Engine) logSecrets(ctx context.Context, job ci.Job, token string) ([]string, error) {
	if secrets, ok := e.hidden.get(job.ID); ok && secrets[0] == token {
		return secrets, nil
	}
	project, err := e.view.Project(ctx, job.ProjectID)
	if err != nil {
		return nil, fmt.Errorf("load project of job %d: %w", job.ID, err)
	}
	reaching, err := e.reaching(ctx, project, 0)
	if err != nil {
		return nil, err
	}
	secrets := logSecrets(token, reaching.visible(job.Protected, job.Plan.EnvironmentName()))
	e.hidden.put(job.ID, secrets)
	return secrets, nil
}
