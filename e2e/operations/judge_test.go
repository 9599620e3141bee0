//go:build linux

package operations

import (
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/rotahttp"
)

// judged answers three of ten requests with 500 if the release on disk is "sick", and one of a hundred if it isn't.
func judged() {
	release, err := os.ReadFile(os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		log.Fatal(err)
	}
	bad := int64(1)
	if strings.TrimSpace(string(release)) == "sick" {
		bad = 30
	}
	var n atomic.Int64
	log.Fatal(rotahttp.Serve(server.MustListen(), &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)*37%100 < bad {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})}))
}

// askAll makes requests on connections of their own until stop is closed.
func askAll(t *testing.T, addr string, stop <-chan struct{}) (wait func()) {
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: e2etest.Stuck}
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				resp, err := client.Get("http://" + addr + "/")
				if err != nil {
					t.Errorf("a request has failed: %v", err)
					return
				}
				resp.Body.Close()
			}
		})
	}
	return group.Wait
}

// A release that answers 30 % of the requests with 500 is rolled back within its trial, however long that is; one that is as
// good as that of before goes on. How many requests a canary gets of those that there are is the kernel's choice, so the
// first trial is too long to end by itself.
func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		next string
		time time.Duration
		log  e2etest.Line
	}{{"sick", time.Hour, e2etest.ReloadFailed}, {"well", 2 * time.Second, e2etest.ReloadDone}} {
		t.Run(tc.next, func(t *testing.T) {
			t.Parallel()
			release := server.NewRelease(t, "well")
			cfg := server.Quick(2)
			cfg.Canary, cfg.CanaryTime = 1, tc.time
			p := e2etest.Start(t, "judged", cfg, release.Flags)
			stop := make(chan struct{})
			wait := askAll(t, p.Addr(), stop)
			defer func() { close(stop); wait() }()
			release.Write(tc.next)
			p.Signal(syscall.SIGHUP)
			p.WaitLog(tc.log, 1)
			if tc.next == "sick" && !p.LoggedTogether(e2etest.ReloadFailed, e2etest.WorseAnswers) {
				t.Errorf("the log has no line about the answers:\n%s", p.Log)
			}
		})
	}
}
