//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// After a reload, and after an upgrade of the master, all keys are hits, and a client that has used up its
// requests has not got new ones.
func TestWarmAfterReload(t *testing.T) {
	p := e2etest.StartProgram(t)
	const keys = 500
	hits := func() (n int) {
		t.Helper()
		for i := range keys {
			body, err := e2etest.Request("tcp", p.Addr(), fmt.Sprintf("/%d", i))
			e2etest.NoError(t, err)
			if strings.HasPrefix(body, "hit true") {
				n++
			}
		}
		return n
	}
	allowed := func() (n int) {
		t.Helper()
		for range 20 {
			_, err := e2etest.Request("tcp", p.Addr(), "/a?client=greedy")
			switch {
			case err == nil:
				n++
			case !strings.Contains(err.Error(), "429"):
				t.Fatal(err)
			}
		}
		return n
	}
	if n := hits(); n != 0 {
		t.Errorf("%d hits before anything was asked", n)
	}
	for name, change := range map[string]func(){"reload": p.Reload, "upgrade": p.Upgrade} {
		begin := time.Now()
		used := allowed()
		change()
		p.WaitIdle(1)
		if n := hits(); n != keys {
			t.Errorf("%d hits of %d after a %s", n, keys, name)
		}
		if n, since := allowed(), time.Since(begin).Seconds(); float64(n) > since+1 {
			t.Errorf("after a %s %d requests more, after %d in %.1f seconds", name, n, used, since)
		}
	}
}

// What is written is read, in its order.
func TestLRU(t *testing.T) {
	a, b := newLRU(3), newLRU(2)
	for _, k := range []string{"1", "2", "3", "4"} {
		a.put(k, "v"+k)
	}
	a.get("2")
	var text strings.Builder
	e2etest.NoError(t, a.write(&text))
	for _, line := range strings.Split(strings.TrimSpace(text.String()), "\n") {
		var e entry
		if _, err := fmt.Sscanf(line, `{"Key":%q,"Value":%q}`, &e.Key, &e.Value); err != nil {
			t.Fatal(line, err)
		}
		b.put(e.Key, e.Value)
	}
	for k, want := range map[string]bool{"1": false, "2": true, "3": false, "4": true} {
		if v, ok := b.get(k); ok != want || ok && v != "v"+k {
			t.Errorf("%s: %q, %v", k, v, ok)
		}
	}
}
