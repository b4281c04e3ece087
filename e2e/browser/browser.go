// Package browser drives a real browser against a real server: Debian's Chromium
// through its debugging protocol, without anything else in between.
//
// A Page is one tab. Its steps read as a person's: Open, Click, Type, See. A step
// that does not come true in time fails the test with what is on the page instead.
// Whatever the browser complains about, such as a script that the policy forbids,
// fails the test too.
package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long a step waits.
const patience = 30 * time.Second

// A Page is a tab of a browser of its own, which knows nobody.
type Page struct {
	t    *testing.T
	ctx  context.Context
	base string // URL of the server
}

// Start starts a browser and gives its tab, 1280 pixels wide.
func Start(t *testing.T, base string) *Page {
	t.Helper()
	dir := t.TempDir()
	options := []chromedp.ExecAllocatorOption{
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.UserDataDir(dir), chromedp.WindowSize(1280, 900),
	}
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, closeTab := chromedp.NewContext(allocated)
	p := &Page{t: t, ctx: ctx, base: base}
	messages := chromedp.Console(ctx)
	dialogs := chromedp.Events(ctx, page.JavascriptDialogOpening)
	complaints := make(chan []string)
	go func() {
		var texts []string
		for m, err := range messages {
			if err != nil {
				break
			}
			if (m.Type == "error" || m.Type == "warning" || m.IsException()) && !expected(m) {
				texts = append(texts, m.Text+" "+m.URL)
			}
		}
		complaints <- texts
	}()
	go func() {
		for _, err := range dialogs {
			if err != nil {
				return
			}
			// Whether the question was answered shows in what happens next.
			_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	}()
	t.Cleanup(func() {
		closeTab()
		stop()
		for _, text := range <-complaints {
			t.Errorf("the browser complains: %s", text)
		}
	})
	return p
}

// expected passes over what the browser says about answers that a test asked for.
func expected(m chromedp.ConsoleMessage) bool {
	return m.Source == "network" && strings.Contains(m.Text, "Failed to load resource")
}

// do runs a step.
func do[T any](p *Page, what string, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		text, _ := p.text("body") // the error that counts is the first
		p.t.Fatalf("%s: %v; the page says:\n%s", what, err, text)
	}
	return value
}

// Open goes to a path of the server.
func (p *Page) Open(path string) {
	p.t.Helper()
	do(p, "open "+path, chromedp.Navigate(p.base+path))
}

// Click clicks the first element of a selector.
func (p *Page) Click(selector string) {
	p.t.Helper()
	do(p, "click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type writes into a field, in the place of what is there.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	do(p, "clear "+selector, chromedp.Clear(chromedp.CSS(selector)))
	do(p, "type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Text is what an element shows, "" when it is not there.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	text, err := p.text(selector)
	if err != nil {
		p.t.Fatalf("text of %s: %v", selector, err)
	}
	return text
}

// text is Text for a page that may just be going away.
func (p *Page) text(selector string) (string, error) {
	return eval[string](p, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// Eval runs a line of script in the page.
func Eval[T any](p *Page, script string) T {
	p.t.Helper()
	value, err := eval[T](p, script)
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return value
}

func eval[T any](p *Page, script string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script))
}

// See waits until an element shows a text.
func (p *Page) See(selector, text string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%s shows %q", selector, text), text, func() (string, error) { return p.text(selector) })
}

// Arrive waits until the page is at a path, which may be a part of the whole.
func (p *Page) Arrive(path string) {
	p.t.Helper()
	p.wait("the page is "+path, path, func() (string, error) { return eval[string](p, "location.href") })
}

// wait asks until what it gets holds a text. While one page makes room for the next
// there may be nobody to ask.
func (p *Page) wait(what, text string, ask func() (string, error)) {
	p.t.Helper()
	var got string
	var err error
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		if got, err = ask(); err == nil && strings.Contains(got, text) {
			return
		}
	}
	p.t.Fatalf("waited for: %s; it is %q, error %v; the page is %s and says:\n%s", what, got, err, p.Path(), p.Text("body"))
}

// Path is where the page is, with query and anchor.
func (p *Page) Path() string {
	p.t.Helper()
	return strings.TrimPrefix(Eval[string](p, "location.href"), p.base)
}

// SignIn signs in by the form and waits for the front page.
func (p *Page) SignIn(user, password string) {
	p.t.Helper()
	p.Open("/users/sign_in")
	p.Type("#login", user)
	p.Type("#password", password)
	p.Click("button.primary")
	p.See(".user", user)
}

// Scripts switches JavaScript off or on for the pages that are opened from then on.
func (p *Page) Scripts(on bool) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
	if err != nil {
		p.t.Fatal(err)
	}
}

// Look sets how the page is looked at: its width and height, and whether the visitor
// likes it dark.
func (p *Page) Look(width, height int64, dark bool) {
	p.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	do(p, "set size", chromedp.EmulateViewport(width, height))
}

// Shot makes a picture of the whole page, for people: in the folder that
// LANYARD_SHOTS names, if it does.
func (p *Page) Shot(name string) {
	p.t.Helper()
	dir := os.Getenv("LANYARD_SHOTS")
	if dir == "" {
		dir = p.t.TempDir()
	}
	picture := do(p, "picture of "+name, chromedp.FullScreenshot(100))
	if len(picture) == 0 {
		p.t.Fatalf("picture of %s is empty", name)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
