package runnerapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// A hook is a script that the runner executes at a point of its own work.
type hook struct {
	Name   string   `json:"name"`
	Script []string `json:"script"`
}

func hooks(spec ci.Spec) []hook {
	if len(spec.PreGetSources) == 0 {
		return []hook{}
	}
	return []hook{{"pre_get_sources_script", spec.PreGetSources}}
}

// An input is a value that the runner puts into scripts.
type input struct {
	Key   string     `json:"key"`
	Value inputValue `json:"value"`
}

type inputValue struct {
	Type      string          `json:"type"`
	Content   json.RawMessage `json:"content"`
	Sensitive bool            `json:"sensitive"`
}

func inputs(spec ci.Spec) []input {
	list := make([]input, 0, len(spec.Inputs))
	for _, in := range spec.Inputs {
		list = append(list, input{in.Name, inputValue{Type: in.Type, Content: json.RawMessage(in.Default)}})
	}
	return list
}

// executorOpts are options of one kind of executor only.
type executorOpts struct {
	Docker     *dockerOpts     `json:"docker,omitempty"`
	Kubernetes *kubernetesOpts `json:"kubernetes,omitempty"`
}

type dockerOpts struct {
	Platform string `json:"platform,omitempty"`
	User     string `json:"user,omitempty"`
}

type kubernetesOpts struct {
	User string `json:"user"`
}

func executorOptsOf(from ci.Image) executorOpts {
	var opts executorOpts
	if from.Platform != "" || from.User != "" {
		opts.Docker = &dockerOpts{from.Platform, from.User}
	}
	if from.KubernetesUser != "" {
		opts.Kubernetes = &kubernetesOpts{from.KubernetesUser}
	}
	return opts
}

// releaseStep makes a release once the script has ended well, with the program
// that GitLab's images have for it. Variables in the texts are the shell's.
func releaseStep(r *ci.Release, timeout int64) (step, error) {
	command := "release-cli create"
	flag := func(name, value string) {
		if value != "" {
			command += " --" + name + ` "` + shellText.Replace(value) + `"`
		}
	}
	flag("name", r.Name)
	flag("description", r.Description)
	flag("tag-name", r.TagName)
	flag("tag-message", r.TagMessage)
	flag("ref", r.Ref)
	flag("released-at", r.ReleasedAt)
	for _, milestone := range r.Milestones {
		flag("milestone", milestone)
	}
	for _, link := range r.Links {
		text, err := json.Marshal(link)
		if err != nil {
			return step{}, fmt.Errorf("encode asset %s of release: %w", link.Name, err)
		}
		flag("assets-link", string(text))
	}
	return step{Name: "release", Script: []string{command}, Timeout: timeout, When: "on_success"}, nil
}

// shellText makes a text literal between double quotes, but for its variables.
var shellText = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$(`, `\$(`)

// secrets tells the runner where to fetch the values of variables, and how to
// sign in there: with the job's variables, in the names that GitLab gives them.
func secrets(from *engine.Assignment) (map[string]map[string]any, error) {
	if len(from.Spec.Secrets) == 0 {
		return nil, nil
	}
	variables := make(map[string]string, len(from.Variables))
	for _, v := range from.Variables {
		variables[v.Key] = v.Value
	}
	out := make(map[string]map[string]any, len(from.Spec.Secrets))
	for _, secret := range from.Spec.Secrets {
		var source map[string]any
		if err := json.Unmarshal([]byte(secret.Source), &source); err != nil {
			return nil, fmt.Errorf("decode source of secret %s: %w", secret.Name, err)
		}
		token := secret.Token
		if tokens := from.Spec.IDTokens; token == "" && len(tokens) == 1 {
			token = "$" + tokens[0].Name
		}
		source["server"] = secretServer(secret.Provider, token, variables)
		if secret.Provider == "gcp_secret_manager" && source["version"] == nil {
			source["version"] = "latest"
		}
		out[secret.Name] = map[string]any{secret.Provider: source, "file": secret.File}
	}
	return out, nil
}

// secretServer says where a provider is and how to sign in; the runner replaces
// the variable that token names.
func secretServer(provider, token string, variables map[string]string) map[string]any {
	switch provider {
	case "vault":
		data := map[string]any{"jwt": token}
		if role := variables["VAULT_AUTH_ROLE"]; role != "" {
			data["role"] = role
		}
		return map[string]any{
			"url": variables["VAULT_SERVER_URL"], "namespace": variables["VAULT_NAMESPACE"],
			"auth": map[string]any{"name": "jwt", "path": cmp.Or(variables["VAULT_AUTH_PATH"], "jwt"), "data": data},
		}
	case "gcp_secret_manager":
		return map[string]any{
			"project_number":                           variables["GCP_PROJECT_NUMBER"],
			"workload_identity_federation_pool_id":     variables["GCP_WORKLOAD_IDENTITY_FEDERATION_POOL_ID"],
			"workload_identity_federation_provider_id": variables["GCP_WORKLOAD_IDENTITY_FEDERATION_PROVIDER_ID"],
			"jwt": token,
		}
	case "azure_key_vault":
		return map[string]any{
			"url": variables["AZURE_KEY_VAULT_SERVER_URL"], "client_id": variables["AZURE_CLIENT_ID"],
			"tenant_id": variables["AZURE_TENANT_ID"], "jwt": token,
		}
	}
	return map[string]any{
		"region": variables["AWS_REGION"], "role_arn": variables["AWS_ROLE_ARN"],
		"role_session_name": variables["AWS_ROLE_SESSION_NAME"], "jwt": token,
	}
}
