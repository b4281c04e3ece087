package githttp_test

import (
	"fmt"
	"testing"
)

// What every fetch begins with: mostly the start of one git process.
func BenchmarkInfoRefs(b *testing.B) {
	w := newWorld(b)
	w.project("demo")
	token := basic("x", w.token(w.root.User))
	for b.Loop() {
		if got := w.request("GET", "/root/demo.git"+fetchRefs, "", token, header("Git-Protocol", "version=2")); got.status != 200 {
			b.Fatal(got)
		}
	}
}

// A push of one commit, its pipeline included; most of it is the client.
func BenchmarkPush(b *testing.B) {
	w := newWorld(b)
	p := w.project("demo")
	work := w.clone(p, w.token(w.root.User))
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		work.commit("a", fmt.Sprint(i), "x")
		b.StartTimer()
		work.must("push", "-q", "origin", "main")
	}
}
