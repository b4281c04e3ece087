package runnerapi

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

const rareConfig = `
release:
  image: {name: i, docker: {platform: arm64, user: u}, kubernetes: {user: "1000"}}
  services: [{name: s, docker: {user: u}}]
  hooks: {pre_get_sources_script: [echo hook]}
  id_tokens: {TOKEN: {aud: x}}
  variables: {VAULT_SERVER_URL: "https://vault", VAULT_AUTH_ROLE: r, GCP_PROJECT_NUMBER: "7", AZURE_CLIENT_ID: c, AWS_REGION: eu}
  secrets:
    A: {vault: a/b/c@ops, file: false}
    B: {gcp_secret_manager: {name: n}, token: $OTHER}
    C: {azure_key_vault: {name: n, version: 3}}
    D: {aws_secrets_manager: "id#f"}
  inputs: {n: {type: number, default: 2}, s: {default: w}}
  script: make
  after_script: clean
  release:
    tag_name: v$N
    description: 'a "b" $(c) \ d'
    milestones: [m1, m2]
    assets: {links: [{name: n, url: u}]}
`

// What few jobs have reaches the runner in the words that it knows.
func TestRareKeywords(t *testing.T) {
	w := newWorld(t, rareConfig, options{})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	var doc map[string]any
	if err := json.Unmarshal(w.take(token).body, &doc); err != nil {
		t.Fatal(err)
	}
	const script = `{"allow_failure":false,"name":"script","script":["make"],"timeout":3600,"when":"on_success"}`
	const after = `{"allow_failure":true,"name":"after_script","script":["clean"],"timeout":3600,"when":"always"}`
	command := `release-cli create --description "a \"b\" \$(c) \\ d" --tag-name "v$N" --milestone "m1" --milestone "m2"` +
		` --assets-link "{\"name\":\"n\",\"url\":\"u\"}"`
	for path, want := range map[string]string{
		"hooks":    `[{"name":"pre_get_sources_script","script":["echo hook"]}]`,
		"inputs":   `[{"key":"n","value":{"content":2,"sensitive":false,"type":"number"}},{"key":"s","value":{"content":"w","sensitive":false,"type":"string"}}]`,
		"image":    `{"entrypoint":null,"executor_opts":{"docker":{"platform":"arm64","user":"u"},"kubernetes":{"user":"1000"}},"name":"i","ports":[],"pull_policy":null}`,
		"services": `[{"alias":null,"command":null,"entrypoint":null,"executor_opts":{"docker":{"user":"u"}},"name":"s","ports":[],"pull_policy":null,"variables":[]}]`,
		"run":      "null",
		"steps":    fmt.Sprintf(`[%s,{"allow_failure":false,"name":"release","script":[%s],"timeout":3600,"when":"on_success"},%s]`, script, quoted(t, command), after),
		"secrets": `{"A":{"file":false,"vault":{"engine":{"name":"kv-v2","path":"ops"},"field":"c","path":"a/b",` +
			`"server":{"auth":{"data":{"jwt":"$TOKEN","role":"r"},"name":"jwt","path":"jwt"},"namespace":"","url":"https://vault"}}},` +
			`"B":{"file":true,"gcp_secret_manager":{"name":"n","server":{"jwt":"$OTHER","project_number":"7",` +
			`"workload_identity_federation_pool_id":"","workload_identity_federation_provider_id":""},"version":"latest"}},` +
			`"C":{"azure_key_vault":{"name":"n","server":{"client_id":"c","jwt":"$TOKEN","tenant_id":"","url":""},"version":"3"},"file":true},` +
			`"D":{"aws_secrets_manager":{"field":"f","secret_id":"id","server":{"jwt":"$TOKEN","region":"eu","role_arn":"","role_session_name":""}},"file":true}}`,
	} {
		if got := encoded(t, doc[path]); got != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
	}
}

// Steps take the place of a script, for runners that know them.
func TestRun(t *testing.T) {
	w := newWorld(t, "default: {before_script: [b]}\na: {run: [{name: one, script: echo a}]}", options{})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	var doc map[string]any
	if err := json.Unmarshal(w.take(token).body, &doc); err != nil {
		t.Fatal(err)
	}
	if got, want := doc["run"], `[{"name":"one","script":"echo a"}]`; got != want {
		t.Errorf("run: got %v, want %s", got, want)
	}
	if got, want := encoded(t, doc["steps"]), `[{"allow_failure":false,"name":"script","script":[],"timeout":3600,"when":"on_success"}]`; got != want {
		t.Errorf("steps: got %s, want %s", got, want)
	}
}

// A secret whose source is not JSON is the server's fault, and not sent.
func TestSecretWithoutSource(t *testing.T) {
	_, err := secrets(&engine.Assignment{Spec: ci.Spec{Secrets: []ci.Secret{{Name: "A", Provider: "vault", Source: "{"}}}})
	if got, want := fmt.Sprint(err), "decode source of secret A: unexpected end of JSON input"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func quoted(t *testing.T, s string) string { return encoded(t, s) }
