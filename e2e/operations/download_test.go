//go:build linux

package operations

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// A worker that drains a long download delays no later reload.
func TestDownloadOutlivesReloads(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	p := e2etest.Start(t, "operated", server.Quick(1))
	seconds := int(e2etest.Duration(20*time.Second, 3*time.Second) / time.Second)
	type result struct {
		body string
		err  error
	}
	done := make(chan result, 1)
	begun := time.Now()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // it would be waited for
	go func() {
		resp, err := client.Get(fmt.Sprintf("http://%s/download?seconds=%d", p.Addr(), seconds))
		if err != nil {
			done <- result{"", err}
			return
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		done <- result{b.String(), err}
	}()
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	time.Sleep(200 * time.Millisecond) // into the download
	for range 3 {
		p.Reload()
	}
	reloaded := time.Since(begun)
	r := <-done
	if r.err != nil || len(r.body) != seconds*10*1024 {
		t.Errorf("the download: %d of %d bytes, %v", len(r.body), seconds*10*1024, r.err)
	}
	if reloaded > time.Duration(seconds)*time.Second {
		t.Errorf("three reloads took %v: they have waited for the download", reloaded)
	}
	p.WaitChildren(1)
	l.MustBeWhole(t)
}
