//go:build linux

package attack

import (
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/worker"
)

// victim is a server. Its worker of slot 1 ends when the test has written the name of an
// attack to a file, and the next one is the attacker.
func victim() {
	dir := os.Getenv(e2etest.FlagsEnv)
	if pid := os.Getenv(traceEnv); pid != "" {
		trace(pid, dir)
	}
	if link := os.Getenv(linkEnv); link != "" {
		attack(newAttacker(link, dir))
	}
	if rota.IsWorker() && worker.Self().Slot() == 1 {
		if e2etest.Exists(dir + "/attack") {
			takeOver()
		}
		go func() {
			for {
				if e2etest.Exists(dir + "/attack") {
					os.Exit(1)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}
	if !rota.IsWorker() {
		private, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		defer private.Close()
	}
	server.Serve()
}

// attack attacks until the test ends it, and says how far it got.
func attack(a *attacker) {
	name, err := os.ReadFile(a.dir + "/attack")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(a.dir+"/begun", nil, 0o644); err != nil {
		log.Fatal(err)
	}
	if string(name) != "read no answers" {
		go a.hear()
	}
	a.moves = string(name) == moveAttack
	for n := 1; a.goesOn(); n++ {
		if !attacks[string(name)](a, uint32(n)) {
			time.Sleep(10 * time.Millisecond) // the link is closed
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(os.Stderr, "attack %s: sockets %d failed %d\n", name, a.answers[socket], a.answers[failed])
	os.Exit(1)
}

// attacks are what an attacker does in one turn, the nth. Each reports whether the link is
// still open.
var attacks = map[string]func(a *attacker, n uint32) bool{
	"ask for what is root's": func(a *attacker, n uint32) bool {
		ok := a.ask(n, map[string]any{"network": "fd", "address": fmt.Sprint(n % 64)})
		for _, fields := range []map[string]any{
			{"network": "unix", "address": "x", "dir": a.dir + "/../root", "mode": 0o777},
			{"network": "unix", "address": a.dir + "/../root/x"}, {"network": "unix", "address": "../root/x", "dir": a.dir},
			{"network": "unix", "address": "/etc/rota-attack"}, {"network": "unixgram", "address": "/run/rota-attack", "packet": true},
			{"network": "tcp", "address": "127.0.0.1:1"}, {"network": "udp", "address": ":2", "packet": true},
		} {
			ok = a.ask(n, fields) && ok
		}
		return ok
	},
	swapAttack: func(a *attacker, n uint32) bool {
		if n == 1 {
			for i := range 2 {
				go swap(a, i)
			}
		}
		for _, id := range a.takeIDs() {
			a.say(closed, 0, fmt.Sprintf(`{"id":%d}`, id))
		}
		ok := a.ask(n, map[string]any{"network": "unix", "address": fmt.Sprint(a.dir, "/a/s", n%swapNames), "mode": 0o666})
		for end := time.Now().Add(10 * time.Millisecond); a.answersOf(socket)+a.answersOf(failed) < int(n) && time.Now().Before(end); {
			time.Sleep(50 * time.Microsecond)
		}
		if n%100 == 0 {
			_ = os.WriteFile(a.dir+"/tries", fmt.Append(nil, a.socketsOpened()), 0o644)
		}
		return ok
	},
	"ask and close": func(a *attacker, n uint32) bool {
		for _, id := range a.takeIDs() {
			a.say(closed, 0, fmt.Sprintf(`{"id":%d}`, id))
		}
		return a.ask(n, map[string]any{"network": "tcp", "address": "127.0.0.2:0"})
	},
	"ask and hold": func(a *attacker, n uint32) bool {
		return a.ask(n, map[string]any{"network": "tcp", "address": "127.0.0.2:0"})
	},
	"shut down": func(a *attacker, n uint32) bool {
		time.Sleep(20 * time.Millisecond)
		return n > 5 || a.ask(n, map[string]any{"network": "tcp", "address": "127.0.0.1:0"})
	},
	moveAttack: func(a *attacker, n uint32) bool {
		time.Sleep(20 * time.Millisecond)
		return n > 5 || a.ask(n, map[string]any{"network": "tcp", "address": "127.0.0.1:0"})
	},
	"read no answers": func(a *attacker, n uint32) bool {
		return a.ask(n, map[string]any{"network": "tcp", "address": "127.0.0.2:0"})
	},
	"names": func(a *attacker, n uint32) bool {
		return a.ask(n, map[string]any{"network": "tcp", "address": fmt.Sprintf("127.%d.%d.%d:0", 3+n>>16&63, n>>8&255, n&255)}) &&
			a.say(accepting, 0, fmt.Sprintf(`{"own":"%d%s"}`, n, strings.Repeat("x", 60_000)))
	},
	"a large frame": func(a *attacker, n uint32) bool { return a.say(closed, 0, strings.Repeat(" ", 8<<20)) },
	"deep JSON":     func(a *attacker, n uint32) bool { return a.say(closed, 0, strings.Repeat("[", 60_000)) },
	"many frames":   func(a *attacker, n uint32) bool { return a.say(closed, 0, strings.Repeat(" ", 60_000)+`{"id":1}`) },
	"hello again":   func(a *attacker, n uint32) bool { return a.say(hello, 0, `{"min":1,"max":1}`) },
	"lies": func(a *attacker, n uint32) bool {
		return a.say(ready, 0, "") && a.say(accepting, 0, `{"id":1}`) && a.say(accepting, 0, `{"id":999}`) && a.say(watch, 0, "") && a.say(draining, 0, "")
	},
	traceAttack: func(a *attacker, n uint32) bool {
		traceMe(a.dir)
		os.Exit(1)
		return false
	},
	"shared files": func(a *attacker, n uint32) bool {
		return a.say(share, n, fmt.Sprintf(`{"name":"x%d","size":%d}`, n, 1<<20))
	},
	"leases": func(a *attacker, n uint32) bool {
		return a.say(lead, n, fmt.Sprintf(`{"name":"%d%s"}`, n, strings.Repeat("x", 60_000))) && a.say(yield, n/2, "")
	},
	"broadcasts":         func(a *attacker, n uint32) bool { return a.say(broadcast, 0, `"`+strings.Repeat("1", 8<<20-2)+`"`) },
	"ask for the status": func(a *attacker, n uint32) bool { return a.say(askStatus, n, "") },
	"what a worker may not say": func(a *attacker, n uint32) bool {
		return a.say([]int{inherit, counted, taken, inherit, 170, 163, 177, 250}[n%8], n, `{"messages":99999999999,"accepted":-1,"open":1e30}`)
	},
	"messages": func(a *attacker, n uint32) bool { return a.say(message, 0, strings.Repeat("1", 8<<20)) },
}

// swap exchanges a directory of the attacker's for a symbolic link to one of root's.
func swap(a *attacker, i int) {
	dir, spare := a.dir+"/a", fmt.Sprint(a.dir, "/spare", i)
	for {
		_ = os.Rename(dir, spare)
		_ = os.Rename(a.dir+"/b", dir)
		_ = os.Rename(dir, a.dir+"/b")
		_ = os.Rename(spare, dir)
	}
}
