//go:build linux

package cluster

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// echoLate is echoMessages after the time of its flags.
func echoLate() {
	d, err := time.ParseDuration(os.Getenv(e2etest.FlagsEnv))
	must(err)
	time.Sleep(d)
	echoMessages()
}

// A worker that is told to leave right after its fork gets the messages that were sent
// before, however long its main needs until it calls OnMessage.
func TestMessagesBeforeOnMessageAreNotLost(t *testing.T) {
	c := newCluster(t, "echo-late")
	for _, takes := range []string{"0s", "5ms", "50ms"} {
		for range 5 {
			w := c.fork(map[string]string{e2etest.FlagsEnv: takes})
			got := inbox(w)
			for i := range 10 {
				sendTo(t, w, i)
			}
			e2etest.NoError(t, w.Disconnect())
			for i := range 10 {
				if s := e2etest.Await(t, "the echo", got); s != fmt.Sprint(i) {
					t.Fatalf("%s came back, want %d", s, i)
				}
			}
			gone(t, w)
		}
	}
}
