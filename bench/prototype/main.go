// Command prototype is the yardstick of trigger speed: one process that does the
// least a trigger can come to over HTTP and SQLite (token, ref, configuration, one
// durable transaction with five jobs) and checks nothing else. docs/benchmarks.md
// measures the server against it, in the same run. It is not a design.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.yaml.in/yaml/v4"
	_ "modernc.org/sqlite"
)

var repo string

type cat struct {
	mu sync.Mutex
	in io.WriteCloser
	r  *bufio.Reader
}

func newCat() *cat {
	c := exec.Command("git", "-C", repo, "cat-file", "--batch-command")
	in, _ := c.StdinPipe()
	o, _ := c.StdoutPipe()
	ck(c.Start())
	return &cat{in: in, r: bufio.NewReaderSize(o, 65536)}
}
func (c *cat) info(rev string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.in, "info %s\n", rev)
	l, _ := c.r.ReadString('\n')
	return l
}
func (c *cat) contents(rev string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.in, "contents %s\n", rev)
	l, _ := c.r.ReadString('\n')
	f := strings.Fields(l)
	n, e := strconv.Atoi(f[len(f)-1])
	if e != nil {
		return nil
	}
	b := make([]byte, n+1)
	io.ReadFull(c.r, b)
	return b[:n]
}
func ck(e error) {
	if e != nil {
		panic(e)
	}
}

type compiled struct{ jobs []string }
type req struct {
	proj int64
	sha  string
	vars url.Values
	c    *compiled
	id   int64
	err  error
	done chan struct{}
}

func main() {
	cache := flag.Bool("cache", true, "")
	group := flag.Bool("group", true, "")
	gitmode := flag.String("git", "cat", "")
	n := flag.Int("c", 32, "")
	syncm := flag.String("sync", "FULL", "")
	dur := flag.Duration("t", 3*time.Second, "")
	ciPath := flag.String("ci", "bench/prototype/testdata/ci.yml", "")
	dir := flag.String("dir", "", "where to work; default: a temporary folder")
	flag.Parse()
	work, e := os.MkdirTemp(*dir, "prototype")
	ck(e)
	defer os.RemoveAll(work)
	repo = makeRepository(work, *ciPath)
	path := work + "/data.db"
	db, e := sql.Open("sqlite", fmt.Sprintf("file:%s?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(%s)", path, *syncm))
	ck(e)
	for _, s := range []string{
		`CREATE TABLE tokens(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, project_id INTEGER NOT NULL, last_used INTEGER)`,
		`CREATE TABLE projects(id INTEGER PRIMARY KEY, path TEXT UNIQUE, last_iid INTEGER NOT NULL DEFAULT 0)`,
		`CREATE TABLE pipelines(id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL, iid INTEGER NOT NULL, ref TEXT, sha TEXT, status TEXT, source TEXT, created_at INTEGER, UNIQUE(project_id,iid))`,
		`CREATE TABLE jobs(id INTEGER PRIMARY KEY, pipeline_id INTEGER NOT NULL, name TEXT, stage TEXT, status TEXT, spec TEXT, created_at INTEGER)`,
		`CREATE INDEX j1 ON jobs(pipeline_id)`, `CREATE INDEX j2 ON jobs(id) WHERE status='pending'`,
		`CREATE TABLE variables(pipeline_id INTEGER NOT NULL, key TEXT, value TEXT, PRIMARY KEY(pipeline_id,key)) WITHOUT ROWID`,
		`INSERT INTO projects(id,path) VALUES(1,'group/project')`} {
		_, e := db.Exec(s)
		ck(e)
	}
	for i := range 1000 {
		h := sha256.Sum256(fmt.Appendf(nil, "glptt-%d", i))
		_, e := db.Exec(`INSERT INTO tokens(hash,project_id) VALUES(?,1)`, h[:])
		ck(e)
	}
	ctx := context.Background()
	conn, e := db.Conn(ctx)
	ck(e)
	prep := func(q string) *sql.Stmt { s, e := conn.PrepareContext(ctx, q); ck(e); return s }
	iidS, pipeS := prep(`UPDATE projects SET last_iid=last_iid+1 WHERE id=? RETURNING last_iid`), prep(`INSERT INTO pipelines(project_id,iid,ref,sha,status,source,created_at) VALUES(?,?,?,?,'pending','trigger',?) RETURNING id`)
	jobS, varS := prep(`INSERT INTO jobs(pipeline_id,name,stage,status,spec,created_at) VALUES(?,?,?,'pending',?,?)`), prep(`INSERT INTO variables VALUES(?,?,?)`)
	tokS := prep(`UPDATE tokens SET last_used=? WHERE project_id=1 AND id=?`)
	rd, e := db.Prepare(`SELECT id,project_id FROM tokens WHERE hash=?`)
	ck(e)
	exe := func(q string) { _, e := conn.ExecContext(ctx, q); ck(e) }
	spec := strings.Repeat(`{"script":["make build","make test"],"image":"golang:1.26"},`, 20)
	do := func(r *req) error {
		now := time.Now().UnixMicro()
		var iid int64
		if e := iidS.QueryRow(r.proj).Scan(&iid); e != nil {
			return e
		}
		if e := pipeS.QueryRow(r.proj, iid, "main", r.sha, now).Scan(&r.id); e != nil {
			return e
		}
		for _, j := range r.c.jobs {
			if _, e := jobS.Exec(r.id, j, "test", spec, now); e != nil {
				return e
			}
		}
		for k, v := range r.vars {
			if _, e := varS.Exec(r.id, k, v[0]); e != nil {
				return e
			}
		}
		_, e := tokS.Exec(now, 5)
		return e
	}
	ch := make(chan *req, 4096)
	var commits, ops atomic.Int64
	go func() {
		var rs []*req
		for r := range ch {
			rs = append(rs[:0], r)
			if *group {
			fill:
				for len(rs) < 128 {
					select {
					case r := <-ch:
						rs = append(rs, r)
					default:
						break fill
					}
				}
			}
			exe("BEGIN IMMEDIATE")
			for _, r := range rs {
				exe("SAVEPOINT s")
				if r.err = do(r); r.err != nil {
					exe("ROLLBACK TO s")
				}
				exe("RELEASE s")
			}
			exe("COMMIT")
			commits.Add(1)
			for _, r := range rs {
				close(r.done)
			}
		}
	}()
	cats := make(chan *cat, 2)
	cats <- newCat()
	cats <- newCat()
	var mu sync.RWMutex
	cc := map[string]*compiled{}
	ci, _ := os.ReadFile(*ciPath)
	compile := func(b []byte) *compiled {
		var nd yaml.Node
		ck(yaml.Unmarshal(ci, &nd)) // parse the 347-line file
		return &compiled{[]string{"build", "unit", "lint", "int", "deploy"}}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v4/projects/{id}/trigger/pipeline", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		h := sha256.Sum256([]byte(r.Form.Get("token")))
		var tid, pid int64
		if e := rd.QueryRowContext(r.Context(), h[:]).Scan(&tid, &pid); e != nil {
			http.Error(w, `{"message":"404 Not Found"}`, 404)
			return
		}
		vars := url.Values{}
		for k, v := range r.Form {
			if strings.HasPrefix(k, "variables[") {
				vars[k[10:len(k)-1]] = v
			}
		}
		var sha string
		var blob []byte
		if *gitmode == "cat" {
			c := <-cats
			sha = c.info("refs/heads/" + r.Form.Get("ref") + "^{commit}")[:40]
			mu.RLock()
			_, hit := cc[sha]
			mu.RUnlock()
			if !hit || !*cache {
				blob = c.contents(sha + ":.gitlab-ci.yml")
			}
			cats <- c
		} else {
			o, e := exec.CommandContext(r.Context(), "git", "-C", repo, "rev-parse", "--verify", "refs/heads/"+r.Form.Get("ref")+"^{commit}").Output()
			ck(e)
			sha = strings.TrimSpace(string(o))
			mu.RLock()
			_, hit := cc[sha]
			mu.RUnlock()
			if !hit || !*cache {
				blob, e = exec.Command("git", "-C", repo, "cat-file", "blob", sha+":.gitlab-ci.yml").Output()
				ck(e)
			}
		}
		mu.RLock()
		cmp := cc[sha]
		mu.RUnlock()
		if cmp == nil || !*cache {
			cmp = compile(blob)
			mu.Lock()
			cc[sha] = cmp
			mu.Unlock()
		}
		q := &req{proj: pid, sha: sha, vars: vars, c: cmp, done: make(chan struct{})}
		ch <- q
		<-q.done
		if q.err != nil {
			http.Error(w, q.err.Error(), 500)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(201)
		json.NewEncoder(w).Encode(map[string]any{"id": q.id, "project_id": pid, "sha": sha, "ref": "main", "status": "created", "web_url": "http://x/y", "created_at": time.Now(), "user": map[string]any{"id": 1, "username": "root"}})
	})
	l, e := net.Listen("tcp", "127.0.0.1:0")
	ck(e)
	srv := &http.Server{Handler: mux}
	go srv.Serve(l)
	cl := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *n}}
	lat := make([][]time.Duration, *n)
	var stop atomic.Bool
	var wg sync.WaitGroup
	var r0, r1 syscall.Rusage
	syscall.Getrusage(0, &r0)
	st := time.Now()
	for i := range *n {
		wg.Go(func() {
			body := fmt.Sprintf("token=glptt-%d&ref=main&variables[A]=1&variables[B]=2&variables[C]=3&variables[D]=4&variables[E]=5", i)
			for !stop.Load() {
				t := time.Now()
				r, e := cl.Post("http://"+l.Addr().String()+"/api/v4/projects/group%2Fproject/trigger/pipeline", "application/x-www-form-urlencoded", strings.NewReader(body))
				ck(e)
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if r.StatusCode != 201 {
					panic(r.Status)
				}
				lat[i] = append(lat[i], time.Since(t))
				ops.Add(1)
			}
		})
	}
	time.Sleep(*dur)
	stop.Store(true)
	wg.Wait()
	el := time.Since(st)
	syscall.Getrusage(0, &r1)
	var all []time.Duration
	for _, l := range lat {
		all = append(all, l...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	cpu := float64(r1.Utime.Nano()+r1.Stime.Nano()-r0.Utime.Nano()-r0.Stime.Nano()) / 1e3 / float64(len(all))
	fmt.Printf("git=%s cache=%v group=%v c=%d sync=%s: %.0f triggers/s p50 %v p99 %v batch %.1f cpu/op %.0fus\n", *gitmode, *cache, *group, *n, *syncm, float64(len(all))/el.Seconds(), all[len(all)/2].Round(10*time.Microsecond), all[len(all)*99/100].Round(10*time.Microsecond), float64(len(all))/float64(commits.Load()), cpu)
}

// makeRepository makes a bare repository whose main holds the configuration.
func makeRepository(work, ciPath string) string {
	content, e := os.ReadFile(ciPath)
	ck(e)
	src := work + "/src"
	git := func(args ...string) {
		c := exec.Command("git", append([]string{"-C", src, "-c", "user.name=b", "-c", "user.email=b@example.com"}, args...)...)
		out, e := c.CombinedOutput()
		if e != nil {
			panic(string(out))
		}
	}
	ck(os.Mkdir(src, 0o755))
	git("init", "-q", "-b", "main")
	ck(os.WriteFile(src+"/.gitlab-ci.yml", content, 0o644))
	git("add", ".")
	git("commit", "-qm", "configuration")
	git("clone", "-q", "--bare", src, work+"/repo.git")
	return work + "/repo.git"
}
