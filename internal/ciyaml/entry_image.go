package ciyaml

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var imageKeys = &keyset{[]string{"name", "entrypoint", "pull_policy", "ports", "docker", "kubernetes"}}

var serviceKeys = &keyset{[]string{"name", "entrypoint", "pull_policy", "ports", "alias", "command", "variables", "docker", "kubernetes"}}

// services reads a list of images that run beside the job.
func (c *checker) services(p *place, n *tree.Node) []Image {
	if n.Kind != tree.Seq {
		c.fail(p, n.Pos, config, "should be a array")
		return nil
	}
	p = p.child("service")
	out := make([]Image, 0, len(n.Items))
	for _, item := range n.Items {
		if image := c.image(p, item, serviceKeys); image != nil {
			out = append(out, *image)
		}
	}
	return out
}

// image reads an image or a service: its name, or a map.
func (c *checker) image(p *place, n *tree.Node, keys *keyset) *Image {
	switch n.Kind {
	case tree.String:
		if empty(n) {
			c.fail(p, n.Pos, "name", "can't be blank")
		}
		return &Image{Name: n.Text}
	case tree.Map:
		return c.imageMap(p, n, keys)
	}
	c.fail(p, n.Pos, config, "should be a hash or a string")
	return nil
}

func (c *checker) imageMap(p *place, n *tree.Node, keys *keyset) *Image {
	before := len(c.diags)
	c.keys(p, n, keys)
	if n.Get("ports") != nil {
		c.fail(p, keyPos(n, "ports"), config, "contains disallowed keys: ports")
	}
	image := &Image{Name: c.text(p, given(n, "name"), "name")}
	if empty(n.Get("name")) {
		c.fail(p, keyPos(n, "name"), "name", "can't be blank")
	}
	image.Entrypoint = c.list(p, given(n, "entrypoint"), "entrypoint")
	image.Command = c.list(p, given(n, "command"), "command")
	image.Alias = c.text(p, given(n, "alias"), "alias")
	for _, key := range []string{"docker", "kubernetes"} {
		if v := given(n, key); v != nil && v.Kind != tree.Map {
			c.fail(p, v.Pos, key, "should be a hash")
		}
	}
	if len(c.diags) > before {
		return nil
	}
	c.executorOptions(p, n, image)
	if v := given(n, "pull_policy"); v != nil {
		image.PullPolicy = c.pullPolicy(p, v)
	}
	if v := given(n, "variables"); v != nil {
		image.Variables = c.variables(p.child("variables"), v, jobVariables)
	}
	return image
}

var (
	dockerKeys          = &keyset{[]string{"platform", "user"}}
	kubernetesImageKeys = &keyset{[]string{"user"}}
)

// executorOptions reads what only one kind of executor understands.
func (c *checker) executorOptions(p *place, n *tree.Node, image *Image) {
	if v := given(n, "docker"); v != nil {
		at := p.child("docker")
		if c.keys(at, v, dockerKeys) {
			image.Platform, image.User = c.text(at, given(v, "platform"), "platform"), c.text(at, given(v, "user"), "user")
		}
		if utf8.RuneCountInString(image.User) > maxName {
			c.fail(at, keyPos(v, "user"), "user", tooLongName)
		}
	}
	if v := given(n, "kubernetes"); v != nil {
		at := p.child("kubernetes")
		if user := given(v, "user"); c.keys(at, v, kubernetesImageKeys) && user != nil {
			if image.KubernetesUser = user.Text; user.Kind != tree.String && user.Kind != tree.Int {
				c.fail(at, user.Pos, "user", "should be a string")
			}
		}
	}
}

func (c *checker) pullPolicy(p *place, n *tree.Node) []string {
	policies := []string{"always", "never", "if-not-present"}
	words := c.listOrText(p, n, "pull_policy")
	if n.Kind == tree.Seq {
		c.known(p, n, "pull_policy", words, policies)
	} else if n.Kind == tree.String && !slices.Contains(policies, n.Text) {
		c.fail(p, n.Pos, "pull_policy", "unknown value: "+n.Text).Hint = "one of: " + strings.Join(policies, ", ")
	}
	return words
}
