//go:build linux

package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// exported returns the numbers of requests that were exported, in their order.
func exported(log string) (all []string) {
	for line := range strings.Lines(log) {
		if _, rest, ok := strings.Cut(line, `"Name":"app_requests_total"`); ok {
			if m := regexp.MustCompile(`"Value":(\d+)`).FindStringSubmatch(rest); m != nil {
				all = append(all, m[1])
			}
		}
	}
	return all
}

// The leader exports what all workers have counted; after a reload the next one goes on with the sum.
func TestExport(t *testing.T) {
	p := e2etest.StartProgram(t)
	sent := 0
	send := func() {
		for range 17 {
			resp, err := http.Get("http://" + p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			sent++
		}
	}
	await := func() {
		e2etest.WaitFor(t, fmt.Sprint("an export of ", sent), func() bool {
			all := exported(p.Log.String())
			return len(all) > 0 && all[len(all)-1] == fmt.Sprint(sent)
		})
	}
	send()
	await()
	for i := range 2 {
		p.Signal(syscall.SIGHUP)
		send()
		p.WaitLog(e2etest.ReloadDone, i+1)
		send()
		await()
	}
}

// The page of documentation shows the function as it is.
func TestDocumentation(t *testing.T) {
	code, err := os.ReadFile("main.go")
	e2etest.NoError(t, err)
	page, err := os.ReadFile("../../docs/metrics.md")
	e2etest.NoError(t, err)
	begin, end := strings.Index(string(code), "var all ="), strings.Index(string(code), "\nfunc main")
	if begin < 0 || end < begin || !strings.Contains(string(page), string(code[begin:end])) {
		t.Error("docs/metrics.md doesn't show the code of export")
	}
}
