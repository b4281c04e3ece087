package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A server is the program under measurement.
type server struct {
	url   string
	ready time.Duration // from its start to its first answer
	cmd   *exec.Cmd
}

func start(binary, dir string) *server {
	readyFile := filepath.Join(dir, "ready")
	os.Remove(readyFile)
	cmd := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--ready-file", readyFile, "--log-level", "warn")
	cmd.Env = append(os.Environ(), "LANYARD_ROOT_TOKEN="+rootToken)
	cmd.Stderr = os.Stderr
	begun := time.Now()
	check(cmd.Start())
	s := &server{cmd: cmd}
	for {
		var ready struct{ URL string }
		data, err := os.ReadFile(readyFile)
		if err == nil && json.Unmarshal(data, &ready) == nil {
			if resp, err := http.Get(ready.URL + "/-/readiness"); err == nil {
				resp.Body.Close()
				s.url, s.ready = ready.URL, time.Since(begun)
				return s
			}
		}
		if time.Since(begun) > 30*time.Second {
			log.Panic("the server did not get ready")
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *server) stop() {
	check(s.cmd.Process.Signal(syscall.SIGTERM))
	check(s.cmd.Wait())
}

// kill ends a server that is still there when the measurement breaks off.
func (s *server) kill() { s.cmd.Process.Kill() }

// memory is the resident size after a moment of rest, in MiB.
func (s *server) memory() float64 {
	time.Sleep(2 * time.Second)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	check(err)
	for line := range strings.Lines(string(data)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}

// setUp makes the project that is triggered.
func (s *server) setUp() (project int64, token string) { return s.project("load", configuration) }

// project makes a project with a configuration and a trigger token.
func (s *server) project(name, configuration string) (id int64, token string) {
	var made struct{ ID int64 }
	s.call("POST", "/projects", map[string]any{"name": name, "path": name}, &made)
	s.call("POST", fmt.Sprintf("/projects/%d/repository/commits", made.ID), map[string]any{
		"branch": "main", "commit_message": "configuration [skip ci]",
		"actions": []map[string]any{{"action": "create", "file_path": ".gitlab-ci.yml", "content": configuration}},
	}, nil)
	var trigger struct{ Token string }
	s.call("POST", fmt.Sprintf("/projects/%d/triggers", made.ID), map[string]any{"description": "load"}, &trigger)
	return made.ID, trigger.Token
}

// call makes one request as root and decodes the answer.
func (s *server) call(method, path string, body, into any) {
	data, err := json.Marshal(body)
	check(err)
	req, err := http.NewRequest(method, s.url+"/api/v4"+path, bytes.NewReader(data))
	check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("PRIVATE-TOKEN", rootToken)
	resp, err := http.DefaultClient.Do(req)
	check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	check(err)
	if resp.StatusCode >= 300 {
		log.Panicf("%s %s answered %d: %s", method, path, resp.StatusCode, answer)
	}
	if into != nil {
		check(json.Unmarshal(answer, into))
	}
}
