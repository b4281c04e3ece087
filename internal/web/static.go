package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

//go:embed static/*
var staticFiles embed.FS

// An asset is a static file. Its address has a digest of what is in it, so that it
// may be kept for ever and a new version is seen at once.
type asset struct {
	url         string // name with the digest
	contentType string
	body        string
}

// assets are all static files, by their name and by their name with the digest.
type assets map[string]asset

// staticTypes are the kinds of files that there are.
var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func loadAssets() (assets, error) {
	all := assets{}
	err := fs.WalkDir(staticFiles, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		base, extension := path.Base(name), path.Ext(name)
		contentType, ok := staticTypes[extension]
		if !ok {
			return fmt.Errorf("static file %s has no content type", name)
		}
		hashed := strings.TrimSuffix(base, extension) + "." + hex.EncodeToString(sum[:8]) + extension
		all[base] = asset{hashed, contentType, string(body)}
		all[hashed] = all[base]
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load static files: %w", err)
	}
	return all, nil
}

// asset is the address of a static file.
func (web *Web) asset(name string) string { return web.urls.Path("/-/static/" + web.static[name].url) }

// staticFile serves a file by its name with the digest.
func (v *visit) staticFile() error {
	name := v.r.PathValue("file")
	file, ok := v.web.static[name]
	if !ok || file.url != name {
		return ci.NotFound("")
	}
	return v.sendAsset(file, "public, max-age=31536000, immutable")
}

// favicon serves what browsers ask for without being told to.
func (v *visit) favicon() error {
	return v.sendAsset(v.web.static["icon.svg"], "public, max-age=86400")
}

func (v *visit) sendAsset(file asset, cache string) error {
	h := v.w.Header()
	h.Set("Content-Type", file.contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": file.url}))
	h.Set("Content-Length", number(len(file.body)))
	h.Set("Cache-Control", cache)
	v.w.WriteHeader(http.StatusOK)
	if _, err := v.w.Write([]byte(file.body)); err != nil {
		return fmt.Errorf("send %s: %w", file.url, err)
	}
	return nil
}
