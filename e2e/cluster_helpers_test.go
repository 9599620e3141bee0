//go:build linux

package e2e

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
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/worker"
)

func init() {
	helpers["echo"] = echoMessages
	helpers["flood"] = flood
	helpers["last-words"] = lastWords
	helpers["hand-over"] = handOver
	helpers["take-over"] = takeOver
	helpers["give-all"] = giveAll
	helpers["say-who"] = sayWho
	helpers["drain"] = drainFor
	helpers["chatter"] = chatter
	helpers["deaf"] = func() { select {} }
}

// notice is the message of the request counter in Node's documentation.
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

// send sends as a patient program does: where the master doesn't keep up it waits.
func send(v any, handles ...ipc.Handle) {
	err := worker.Self().Send(v, handles...)
	for ; errors.Is(err, worker.ErrQueueFull); err = worker.Self().Send(v, handles...) {
		time.Sleep(100 * time.Microsecond)
	}
	must(err)
}

// untilDone is the rest of main of a worker that only talks.
func untilDone() { <-worker.Self().Done() }

// echoMessages sends everything back, handles too, but exits where it is told to.
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

// flood sends as many messages as it is told, as fast as it can, and leaves at once if
// it is told so.
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

// lastWords speaks when it is told to leave, and when it has nothing else to do.
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

// handOver accepts connections and gives them to the master.
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

// giveAll gives the master one of everything: rota's own listener and packet conn, and a
// file. It uses none of them itself.
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

// takeOver uses what the master gives it, by what the message says it is.
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

// use says hello through a handle.
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

// sayWho tells the master what it was started with.
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

// drainFor has something to do for as long as its flag says, when it is told to leave.
func drainFor() {
	d, err := time.ParseDuration(os.Getenv(flagsEnv))
	must(err)
	worker.Self().OnDisconnect(func(context.Context) error { time.Sleep(d); return nil })
	send("ready")
	untilDone()
}

// chatter writes many lines to standard output, says so, and stays.
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
