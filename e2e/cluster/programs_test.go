//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"

	"os"
	"strings"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/worker"
)

// notice is a message about requests.
type notice struct {
	Cmd string `json:"cmd"`
	N   int    `json:"n,omitempty"`
}

// must ends a worker whose call failed.
func must(err error) {
	if err != nil {
		log.Fatalf("worker %d: %v", worker.Self().ID(), err)
	}
}

// send sends a message, and tries again while the queue is full.
func send(v any, handles ...ipc.Handle) {
	err := worker.Self().Send(v, handles...)
	for ; errors.Is(err, worker.ErrQueueFull); err = worker.Self().Send(v, handles...) {
		time.Sleep(100 * time.Microsecond)
	}
	must(err)
}

// untilDone waits until the worker has left.
func untilDone() { <-worker.Self().Done() }

// echoMessages sends each message and its handles back. The message "exit 3" makes it exit.
func echoMessages() {
	worker.Self().OnMessage(func(m ipc.Message) {
		var v json.RawMessage
		must(m.Decode(&v))
		if string(v) == `"exit 3"` {
			os.Exit(3)
		}
		send(v, m.Handles...)
	})
	untilDone()
}

// flood sends as many messages as the master says, and then disconnects if the master says
// so.
func flood() {
	worker.Self().OnMessage(func(m ipc.Message) {
		var order notice
		must(m.Decode(&order))
		for i := range order.N {
			send(notice{Cmd: "notifyRequest", N: i + 1})
		}
		if order.Cmd == "and leave" {
			must(worker.Self().Disconnect())
		}
	})
	untilDone()
}

// lastWords sends 1,000 messages in its disconnect hook, and one for each message.
func lastWords() {
	self := worker.Self()
	self.OnDisconnect(func(context.Context) error {
		for i := range 1000 {
			send(i)
		}
		return nil
	})
	self.OnMessage(func(m ipc.Message) { send("got " + m.String()) })
	send("ready")
	untilDone()
}

// handOver accepts connections and sends them to the master.
func handOver() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	must(err)
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		send("conn", ipc.FromConn(c))
	}
}

// giveAll sends the master a listener and a packet conn of rota, and a file, three times.
// It uses none of them itself.
func giveAll() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	must(err)
	packets, err := rota.ListenPacket("udp", "127.0.0.1:0")
	must(err)
	file, err := os.CreateTemp("", "give")
	must(err)
	defer os.Remove(file.Name())
	large := strings.Repeat("x", 1<<20)
	for range 3 {
		send("listener "+large, ipc.FromListener(ln))
		send("packets "+large, ipc.FromPacketConn(packets))
		send("file "+large, ipc.FromFile(file))
	}
	untilDone()
}

// takeOver uses the handles of each message, whose first word is their kind.
func takeOver() {
	worker.Self().OnMessage(func(m ipc.Message) {
		var kind string
		must(m.Decode(&kind))
		for _, h := range m.Handles {
			must(use(strings.Fields(kind)[0], h))
		}
		send("used " + kind[:min(len(kind), 40)])
	})
	untilDone()
}

// use writes a text through a handle.
func use(kind string, h ipc.Handle) error {
	hello := []byte(fmt.Sprintf("hello from worker %d", worker.Self().ID()))
	switch kind {
	case "conn":
		c, err := h.Conn()
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(hello)
		return err
	case "listener":
		ln, err := h.Listener()
		if err != nil {
			return err
		}
		go func() {
			defer ln.Close()
			if c, err := ln.Accept(); err == nil {
				_, _ = c.Write(hello)
				c.Close()
			}
		}()
		return nil
	case "packets":
		c, err := h.PacketConn()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if _, from, err := c.ReadFrom(make([]byte, 100)); err == nil {
				_, _ = c.WriteTo(hello, from)
			}
		}()
		return nil
	case "file":
		f, err := h.File()
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Write(hello)
		return err
	}
	return nil
}

// sayWho sends the master what the worker was started with.
func sayWho() {
	dir, err := os.Getwd()
	must(err)
	extra := ""
	for fd := uintptr(3); fd < 5; fd++ {
		b, _ := io.ReadAll(os.NewFile(fd, "extra"))
		extra += string(b)
	}
	self := worker.Self()
	send(map[string]any{
		"args": os.Args[1:], "dir": dir, "env": os.Getenv("ROTA_E2E_OWN"), "extra": extra,
		"id": self.ID(), "slot": self.Slot(), "generation": self.Generation(),
		"master": rota.IsMaster(), "worker": rota.IsWorker(),
	})
	fmt.Println("this is stdout")
	fmt.Fprintln(os.Stderr, "this is stderr")
	untilDone()
}

// drainFor takes the time of its flags to drain.
func drainFor() {
	d, err := time.ParseDuration(os.Getenv(e2etest.FlagsEnv))
	must(err)
	worker.Self().OnDisconnect(func(context.Context) error { time.Sleep(d); return nil })
	send("ready")
	untilDone()
}

// chatter writes 2 MB to standard output, sends a message, and stays.
func chatter() {
	line := strings.Repeat("x", 99) + "\n"
	for range 20_000 {
		if _, err := io.WriteString(os.Stdout, line); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Fprintln(os.Stderr, "the last line")
	send("written")
	untilDone()
}

// deaf never reads a message.
func deaf() { select {} }
