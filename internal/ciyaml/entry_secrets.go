package ciyaml

import (
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var idTokenKeys = &keyset{[]string{"aud"}}

// idTokens reads id_tokens in the order of the file.
func (c *checker) idTokens(p *place, n *tree.Node) []IDToken {
	if !c.isMap(p, n) {
		return nil
	}
	out := make([]IDToken, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		at := p.child(pair.Key)
		if !c.isHashOrBlank(at, pair) || !c.keys(at, pair.Value, idTokenKeys) {
			continue
		}
		if pair.Value.Get("aud") == nil {
			c.fail(at, pair.KeyPos, config, "missing required keys: aud")
			continue
		}
		if empty(pair.Value.Get("aud")) {
			c.fail(at, keyPos(pair.Value, "aud"), "aud", "can't be blank")
		}
		out = append(out, IDToken{pair.Key, c.listOrText(at, given(pair.Value, "aud"), "aud")})
	}
	return out
}

// isHashOrBlank is isMap for the value of a pair, which may lack one.
func (c *checker) isHashOrBlank(p *place, pair tree.Pair) bool {
	if pair.Value.IsNull() || pair.Value.Kind != tree.Map {
		c.fail(p, pair.KeyPos, config, "should be a hash")
		return false
	}
	return true
}

// secretProviders are where secrets come from.
var secretProviders = []string{"vault", "gcp_secret_manager", "azure_key_vault", "aws_secrets_manager", "gitlab_secrets_manager"}

var secretKeys = &keyset{append([]string{"file", "token"}, secretProviders...)}

// secrets reads secrets (contract, appendix D), which the runner resolves.
func (c *checker) secrets(p *place, n *tree.Node) []Secret {
	if !c.isMap(p, n) {
		return nil
	}
	out := make([]Secret, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		at := p.child(pair.Key)
		if !c.isHashOrBlank(at, pair) || !c.keys(at, pair.Value, secretKeys) {
			continue
		}
		s := Secret{
			Name:  pair.Key,
			File:  c.flag(at, given(pair.Value, "file"), "file", true),
			Token: c.text(at, given(pair.Value, "token"), "token"),
		}
		var source *tree.Node
		for _, provider := range secretProviders {
			if v := given(pair.Value, provider); v != nil {
				if source != nil {
					source = nil
					break
				}
				source, s.Provider = v, provider
			}
		}
		if source == nil {
			c.fail(at, pair.KeyPos, config, "must use exactly one of these keys: "+strings.Join(secretProviders, ", "))
			continue
		}
		if s.Provider == "gitlab_secrets_manager" {
			c.notYet(keyPos(pair.Value, s.Provider), "secrets:"+s.Provider, refusedAtOnce)
		}
		s.Source = c.secretSource(at.child(s.Provider), source, s.Provider)
		out = append(out, s)
	}
	return out
}

// secretSources says, for each provider, which keys a source must and may have.
var secretSources = map[string]struct{ must, may []string }{
	"vault":                  {[]string{"path", "field"}, []string{"engine"}},
	"gcp_secret_manager":     {[]string{"name"}, []string{"version"}},
	"azure_key_vault":        {[]string{"name"}, []string{"version"}},
	"aws_secrets_manager":    {[]string{"secret_id"}, []string{"version_id", "version_stage", "region", "role_arn", "role_session_name", "field"}},
	"gitlab_secrets_manager": {[]string{"name"}, []string{"source"}},
}

// secretSource reads where a secret is and returns the long form.
func (c *checker) secretSource(p *place, n *tree.Node, provider string) string {
	allowed := secretSources[provider]
	switch {
	case n.Kind == tree.String && provider == "vault":
		return c.vaultPath(p, n)
	case n.Kind == tree.String && provider == "aws_secrets_manager":
		id, field, _ := strings.Cut(n.Text, "#")
		return jsonText(textMap(n.Pos, "secret_id", id, "field", field))
	case n.Kind != tree.Map:
		c.fail(p, n.Pos, config, "should be a hash")
		return ""
	}
	if !c.keys(p, n, &keyset{append(allowed.must[:len(allowed.must):len(allowed.must)], allowed.may...)}) {
		return ""
	}
	for _, key := range allowed.must {
		if empty(n.Get(key)) {
			c.fail(p, keyPos(n, key), key, "can't be blank")
		}
	}
	if v := given(n, "engine"); v != nil {
		at := p.child("engine")
		if c.isMap(at, v) && c.keys(at, v, engineKeys) {
			for _, key := range engineKeys.known {
				if empty(v.Get(key)) {
					c.fail(at, keyPos(v, key), key, "can't be blank")
				}
			}
		}
	}
	return jsonText(texts(n))
}

// texts is a map in which every scalar is a text, as the runner wants it.
func texts(n *tree.Node) *tree.Node {
	out := &tree.Node{Kind: tree.Map, Pos: n.Pos}
	for _, pair := range n.Pairs {
		switch value := pair.Value; {
		case value.IsNull():
			continue
		case value.Kind == tree.Map:
			pair.Value = texts(value)
		default:
			pair.Value = &tree.Node{Kind: tree.String, Pos: value.Pos, Text: value.Text}
		}
		out.Pairs = append(out.Pairs, pair)
	}
	return out
}

var engineKeys = &keyset{[]string{"name", "path"}}

// vaultPath reads the short form "path/field@engine".
func (c *checker) vaultPath(p *place, n *tree.Node) string {
	path, engine, named := strings.Cut(n.Text, "@")
	slash := strings.LastIndexByte(path, '/')
	if slash < 1 || slash == len(path)-1 || named && engine == "" {
		c.fail(p, n.Pos, config, "should be a hash or a string").Hint = "the short form is path/field, or path/field@engine"
		return ""
	}
	if !named {
		engine = "kv-v2"
	}
	out := textMap(n.Pos, "path", path[:slash], "field", path[slash+1:])
	out.Pairs = append([]tree.Pair{{Key: "engine", KeyPos: n.Pos, Value: textMap(n.Pos, "name", "kv-v2", "path", engine)}}, out.Pairs...)
	return jsonText(out)
}

// textMap makes a map of keys and texts, leaving out those that are empty.
func textMap(pos tree.Pos, keysAndTexts ...string) *tree.Node {
	n := &tree.Node{Kind: tree.Map, Pos: pos}
	for i := 0; i+1 < len(keysAndTexts); i += 2 {
		if keysAndTexts[i+1] != "" {
			n.Pairs = append(n.Pairs, tree.Pair{
				Key: keysAndTexts[i], KeyPos: pos, Value: &tree.Node{Kind: tree.String, Pos: pos, Text: keysAndTexts[i+1]},
			})
		}
	}
	return n
}

// identity reads identity.
func (c *checker) identity(p *place, n *tree.Node) string {
	if n.Kind != tree.String || n.Text != "google_cloud" {
		c.fail(p, n.Pos, config, "unknown value: "+inlineText(n)).Hint = didYouMean(n.Text, []string{"google_cloud"})
	}
	return n.Text
}

var dastKeys = &keyset{[]string{"site_profile", "scanner_profile"}}

// dast reads dast_configuration.
func (c *checker) dast(p *place, n *tree.Node) *DAST {
	if !c.isMap(p, n) || !c.keys(p, n, dastKeys) {
		return nil
	}
	return &DAST{c.text(p, given(n, "site_profile"), "site_profile"), c.text(p, given(n, "scanner_profile"), "scanner_profile")}
}
