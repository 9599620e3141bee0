package master

import (
	"encoding/json"
	"slices"
	"sync"
	"syscall"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
)

// adopted are the given sockets of the first master, in one that follows it. Their
// numbers are the first master's: what a worker asks for is what it always was.
var adopted adoptedSockets

type adoptedSockets struct {
	mu       sync.Mutex
	follower bool
	all      givenSockets
}

func (a *adoptedSockets) list() givenSockets {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clip(a.all)
}

// follow says that this process's own numbers mean nothing.
func (a *adoptedSockets) follow() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.follower = true
}

func (a *adoptedSockets) isFollower() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.follower
}

// givenNote is a given socket.
type givenNote struct {
	First  int    `json:"first"`
	Name   string `json:"name,omitempty"`
	Packet bool   `json:"packet,omitempty"`
}

// sendGiven sends the given sockets: the next release may ask for one that this
// doesn't.
func (l *loop) sendGiven(u *upgrade) {
	for _, g := range given() {
		fd, err := descriptor.New(g.n).Dup() // g keeps its own
		if err != nil {
			continue // the program has closed it
		}
		note := wire.Body(givenNote{First: g.first, Name: g.name, Packet: g.packet})
		u.link.Send(&successor.Message{Kind: successor.Given, Given: note}, fd)
	}
}

// adopt takes a given socket, which stays open as long as the process lives. It takes
// files.
func (a *adoptedSockets) adopt(note json.RawMessage, files []*descriptor.FD) {
	var n givenNote
	if json.Unmarshal(note, &n) != nil || len(files) != 1 {
		descriptor.CloseAll(files)
		return
	}
	addr, err := addrOf(files[0], n.Packet)
	if err != nil {
		descriptor.CloseAll(files)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, givenSocket{n: files[0].Take(), first: n.First, name: n.Name, packet: n.Packet, addr: addr})
}

// local is this process's number for what the address, a number, means.
func (all givenSockets) local(address string) (int, error) {
	n, err := bind.Number(address)
	if err != nil || !adopted.isFollower() {
		return n, err
	}
	for _, g := range all {
		if g.first == n {
			return g.n, nil
		}
	}
	return 0, &bind.DescriptorError{What: "the first master was not given this descriptor", Errno: syscall.EBADF}
}
