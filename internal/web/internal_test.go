package web

import (
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// views are all pages with their views; those of fragments are the page's own.
var views = map[string]any{
	"signin":    signInPage{},
	"problem":   problemPage{},
	"projects":  projectsPage{},
	"pipelines": pipelinesPage{},
	"pipeline":  pipelinePage{},
	"job":       jobPage{},
	"triggers":  triggersPage{},
}

// fragments are the pages with a part that is sent again.
var fragments = []string{"pipelines", "pipeline", "job"}

// TestTemplates executes every template with an empty and with a full view: a name
// that a view does not have fails here, not before a visitor.
func TestTemplates(t *testing.T) {
	pages, err := parsePages()
	if err != nil {
		t.Fatal(err)
	}
	for name := range pages {
		if _, ok := views[name]; !ok {
			t.Errorf("template %s has no view here", name)
		}
	}
	for name, view := range views {
		full := reflect.New(reflect.TypeOf(view)).Elem()
		fill(full, 0)
		for _, v := range []any{view, full.Interface()} {
			if _, err := pages.fragment(name, "base.html", v); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
	for _, name := range fragments {
		if _, err := pages.fragment(name, "live", views[name]); err != nil {
			t.Errorf("%v", err)
		}
	}
	if _, err := pages.fragment("nothing", "live", nil); err == nil {
		t.Error("a page that is not there was rendered")
	}
}

// fill puts something into every field that can be set.
func fill(v reflect.Value, depth int) {
	if depth > 6 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("success")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	}
}

// TestNoViewHidesTheShell holds that no page has a field of the name of one of the
// shell: the frame of the page would show it instead of its own.
func TestNoViewHidesTheShell(t *testing.T) {
	outer := reflect.TypeFor[shell]()
	for name, view := range views {
		typ := reflect.TypeOf(view)
		for i := range outer.NumField() {
			field := outer.Field(i).Name
			if f, _ := typ.FieldByName(field); len(f.Index) != 2 {
				t.Errorf("page %s hides %s", name, field)
			}
		}
	}
}

// TestStyleSheet holds what the style sheet and the code must agree on.
func TestStyleSheet(t *testing.T) {
	data, err := staticFiles.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	css := string(data)
	for name, size := range map[string]int{
		"card-width": cardWidth, "card-height": cardHeight, "card-gap": cardGap, "column-gap": columnGap, "title-height": titleHeight,
	} {
		if want := fmt.Sprintf("--%s: %dpx;", name, size); !strings.Contains(css, want) {
			t.Errorf("the style sheet does not say %s", want)
		}
	}
	parts, err := templateFiles.ReadFile("templates/parts.html")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{} // word of a class by its shape
	for _, status := range ci.Statuses {
		view := statusViews[status]
		if view.Word == "" {
			t.Errorf("%s has no word", status)
		}
		if !strings.Contains(css, ".s-"+view.Class+" {") || !strings.Contains(css, "--"+view.Class+": #") {
			t.Errorf("%s has no colours", view.Class)
		}
		_, shape, found := strings.Cut(string(parts), `<symbol id="i-`+view.Class+`"`)
		shape, _, _ = strings.Cut(shape, "</symbol>")
		if other, ok := shown[shape]; !found || ok && other != view.Class {
			t.Errorf("%s has no shape of its own", view.Class)
		}
		shown[shape] = view.Class
	}
	for i := range 16 {
		if !strings.Contains(css, fmt.Sprintf(".f%d {", i)) || !strings.Contains(css, fmt.Sprintf(".g%d {", i)) {
			t.Errorf("colour %d of logs is missing", i)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	all, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	err = fs.WalkDir(staticFiles, "static", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			a := all[path.Base(name)]
			total += len(a.body)
			if all[a.url].body != a.body || a.url == path.Base(name) {
				t.Errorf("%s has no address of its own", name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if script := len(all["app.js"].body); script > 10<<10 {
		t.Errorf("the script has %d bytes, want 10 KiB at most", script)
	}
}

func TestRoutesStateWhoMayTakeThem(t *testing.T) {
	web := &Web{}
	for _, r := range web.siteRoutes() {
		if r.needs != anyone && r.needs != unseen {
			t.Errorf("%s: needs %q, but belongs to no project", r.pattern, r.needs)
		}
	}
	for _, r := range web.projectRoutes() {
		if r.needs == anyone || r.needs == unseen {
			t.Errorf("%s: does not say what it takes", r.pattern)
		}
	}
	if err := web.register(); err != nil {
		t.Error(err)
	}
}

func TestLayOut(t *testing.T) {
	columns := []graphColumn{
		{Title: "build", Cards: []graphCard{{ID: "a"}, {ID: "b"}}},
		{Title: "test", Cards: []graphCard{{ID: "c"}}},
	}
	g := layOut(columns, []edge{{"a", "c"}, {"b", "c"}, {"a", "b"}, {"a", "nothing"}, {"", "c"}})
	if g.Width != 2*208+56 || g.Height != 32+2*56 {
		t.Errorf("got %d x %d", g.Width, g.Height)
	}
	want := []string{"M208 54C236 54 236 54 264 54", "M208 110C236 110 236 54 264 54", "M208 54C236 54 236 110 208 110"}
	if !reflect.DeepEqual(g.Edges, want) {
		t.Errorf("got edges %q, want %q", g.Edges, want)
	}
	columns = append(columns, graphColumn{Title: "deploy", Cards: []graphCard{{ID: "d"}, {ID: "e"}}})
	g = layOut(columns, []edge{{"a", "d"}, {"a", "e"}, {"b", "d"}}) // past c, between its row and the next one
	want = []string{
		"M208 54C236 54 236 82 264 82H472C500 82 500 54 528 54", "M208 54C236 54 236 82 264 82H472C500 82 500 110 528 110",
		"M208 110C236 110 236 82 264 82H472C500 82 500 54 528 54",
	}
	if !reflect.DeepEqual(g.Edges, want) {
		t.Errorf("past a column: got edges %q, want %q", g.Edges, want)
	}
	if g := layOut(nil, nil); g.Width != 0 || g.Height != 0 || len(g.Edges) != 0 {
		t.Errorf("nothing: got %+v", g)
	}
}

func TestTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "", 0: "under 0.1 s", 99 * time.Millisecond: "under 0.1 s", 450 * time.Millisecond: "0.4 s", 9999 * time.Millisecond: "9.9 s",
		12 * time.Second: "12 s", 130 * time.Second: "2 min 10 s", 63 * time.Minute: "1 h 3 min", 50 * time.Hour: "50 h 0 min",
	} {
		if got := lasted(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{-5: "under 1 s", 0: "under 1 s", 3: "3 s", 75: "1 min 15 s", 1 << 60: "2777 h 46 min"} {
		if got := wholeSeconds(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	now := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.FixedZone("", 3600))
	if got := at(now); got != (timeView{"2026-03-04T04:06:07.890Z", "4 Mar 2026, 04:06 UTC"}) {
		t.Errorf("got %+v", got)
	}
	if at(time.Time{}).Shown() {
		t.Error("no time is shown")
	}
	if between(now, time.Time{}) != "" || between(now, now.Add(time.Minute)) != "1 min 0 s" {
		t.Error("between")
	}
}

func TestShellQuote(t *testing.T) {
	for text, want := range map[string]string{"a b": "'a b'", "it's $HOME `x`": `'it'\''s $HOME ` + "`x`'", "": "''"} {
		if got := shellQuote(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestPager(t *testing.T) {
	for _, test := range []struct {
		page, shown, total int
		want               pager
	}{
		{1, 25, 60, pager{"1 to 25 of 60", "", "/p?page=2"}},
		{2, 25, 60, pager{"26 to 50 of 60", "/p", "/p?page=3"}},
		{3, 10, 60, pager{"51 to 60 of 60", "/p?page=2", ""}},
		{9, 0, 60, pager{"", "/p?page=8", ""}},
		{1, 0, 0, pager{}},
		{1, 25, 10_001, pager{"1 to 25 of more than 10000", "", "/p?page=2"}},
	} {
		if got := newPager("/p", nil, test.page, test.shown, test.total); got != test.want {
			t.Errorf("page %d: got %+v, want %+v", test.page, got, test.want)
		}
	}
}
