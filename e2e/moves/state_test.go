//go:build linux

package moves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// remember is a server that knows the workers before it in its slot, by their generation and what each
// adds.
func remember() {
	self := worker.Self()
	if self == nil {
		serveMemory("")
	}
	var before string
	begin := time.Now()
	r, err := self.Inherit(context.Background())
	if err == nil {
		var b []byte
		b, err = io.ReadAll(r)
		before = string(b)
		r.Close()
	} else if err == io.EOF {
		err = nil
	}
	fmt.Printf("inherited %d bytes in %v, error %v\n", len(before), time.Since(begin).Round(time.Second), err)
	if err != nil {
		before = "unknown "
	}
	line := before + fmt.Sprintf("%d.%d ", self.Slot(), self.Generation())
	self.OnHandOverState(leaves(line))
	serveMemory(line)
}

// leaves returns the function of OnHandOverState that the environment asks for.
func leaves(line string) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		switch os.Getenv("TEST_LEAVES") {
		case "an error":
			io.WriteString(w, line+strings.Repeat("x", 100_000))
			return errors.New("the cache is on fire")
		case "nothing in time":
			<-ctx.Done()
			return ctx.Err()
		case "too slowly":
			for range 100 {
				io.WriteString(w, strings.Repeat("x", 40_000))
				time.Sleep(time.Second)
			}
		}
		_, err := io.WriteString(w, line)
		return err
	}
}

func serveMemory(line string) {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, line)
	})))
}

// rememberDiesSecond is remember, except that the new worker of the second slot dies during its trial.
func rememberDiesSecond() {
	if w := worker.Self(); w != nil && w.Generation() == 2 && w.Slot() == 1 {
		time.AfterFunc(100*time.Millisecond, func() { os.Exit(4) })
	}
	remember()
}

// wantLines asks until the workers have said all that is wanted, and nothing else.
func wantLines(t *testing.T, p *e2etest.Process, want ...string) {
	t.Helper()
	got := map[string]bool{}
	e2etest.WaitFor(t, fmt.Sprintf("answers %q", want), func() bool {
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			return false
		}
		defer c.Close()
		body, _, err := e2etest.NewConn(c).RoundTrip(e2etest.Get("/"))
		if err == nil {
			got[strings.TrimSpace(body)] = true
		}
		all := true
		for _, w := range want {
			all = all && got[w]
		}
		return all
	}, func() string { return fmt.Sprint(got, p.Log.String()) })
	if len(got) != len(want) {
		t.Errorf("the workers say %v, want %q", got, want)
	}
}

// What a worker knows goes to its successor in the slot, in reloads and in upgrades. At the first start, and
// after a crash, there is nothing.
func TestStateIsInherited(t *testing.T) {
	p := e2etest.Start(t, "remember", server.Quick(1))
	wantLines(t, p, "0.1")
	p.Reload()
	p.WaitIdle(1)
	wantLines(t, p, "0.1 0.2")
	p.Upgrade()
	wantLines(t, p, "0.1 0.2 0.3")
	p.Reload()
	p.WaitIdle(1)
	wantLines(t, p, "0.1 0.2 0.3 0.4")
	e2etest.Kill(t, p.Children()[0])
	p.WaitLog(e2etest.WorkerReady.OfWorker(5), 1)
	wantLines(t, p, "0.4")
}

// Each slot has a state of its own, and a roll-back goes on from what the new workers knew.
func TestStateInRollBack(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "remember-dies-second", master.Config{Workers: 2, MinUptime: time.Second})
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.ReloadFailed, 1)
	p.WaitIdle(2)
	wantLines(t, p, "1.1", "0.1 0.2 0.1")
}

// A state that can't be had delays a reload by five seconds at most, and doesn't fail it.
func TestStateFails(t *testing.T) {
	for how, inherited := range map[string]string{
		"an error": "in 0s, error unexpected EOF", "nothing in time": "in 5s, error", "too slowly": "in 5s, error",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := e2etest.Start(t, "remember", server.Quick(1), "TEST_LEAVES="+how)
			begin := time.Now()
			p.Reload()
			if took := time.Since(begin); took > 9*time.Second {
				t.Errorf("the reload took %v", took)
			}
			p.WaitIdle(1)
			p.WaitOutput(inherited, 1)
			p.WaitOutput("WARN the state was not handed over", 1)
			wantLines(t, p, "unknown 0.2")
		})
	}
}
