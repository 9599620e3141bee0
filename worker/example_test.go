package worker_test

import (
	"log"
	"net"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/worker"
)

// A worker that serves the connections that its master gives it.
func ExampleWorker_OnMessage() {
	self := worker.Self() // nil in a master
	self.OnMessage(func(msg ipc.Message) {
		if len(msg.Handles) == 0 {
			return
		}
		c, err := msg.Handles[0].Conn()
		if err != nil {
			log.Print(err) // what nobody takes is closed
			return
		}
		go func(c net.Conn) {
			defer c.Close()
			_, _ = c.Write([]byte("hello\n"))
			_ = self.Send("served")
		}(c)
	})
	<-self.Done()
}
