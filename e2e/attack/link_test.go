//go:build linux

package attack

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// The types of frames; see docs/protocol.md.
const (
	hello     = 1
	listen    = 4
	socket    = 5
	failed    = 6
	accepting = 7
	closed    = 8
	draining  = 10
	ready     = 11
	message   = 12
	watch     = 161
	lead      = 167
	yield     = 169
	broadcast = 170
	taken     = 171
	inherit   = 172
	counted   = 177
	share     = 184
	askStatus = 186
)

// attacker is a worker that speaks the frames itself.
type attacker struct {
	*net.UnixConn
	dir string // its user's; what the attack is, and whether it goes on

	moves   bool // sockets to another port, before it closes them
	mu      sync.Mutex
	answers map[int]int // by type
	ids     []int       // of sockets that were received, and not closed
	latest  int         // the latest id
	opened  int         // how many sockets were opened for the attacker
}

// linkEnv has the descriptor of the link in a process that is the attacker.
const linkEnv = "ROTA_E2E_LINK"

// takeOver finds the link among the descriptors of this worker, a stream socket to the
// parent, and executes the program again, with the link and without the library's knowledge
// of it.
func takeOver() {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range open {
		n, _ := strconv.Atoi(f.Name())
		cred, err := syscall.GetsockoptUcred(n, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err != nil || int(cred.Pid) != os.Getppid() {
			continue
		}
		fd, err := syscall.Dup(n)
		if err == nil {
			err = syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), fmt.Sprint(linkEnv, "=", fd)))
		}
		log.Fatal(err)
	}
	log.Fatal("no link among the descriptors")
}

// newAttacker returns the attacker, in a process that takeOver has executed.
func newAttacker(link, dir string) *attacker {
	n, _ := strconv.Atoi(link)
	f := os.NewFile(uintptr(n), "link")
	c, err := net.FileConn(f)
	if err != nil {
		log.Fatal(err)
	}
	_ = f.Close()
	return &attacker{UnixConn: c.(*net.UnixConn), dir: dir, answers: map[int]int{}}
}

// goesOn reports whether the test wants the attack to go on.
func (a *attacker) goesOn() bool {
	_, err := os.Stat(a.dir + "/attack")
	return err == nil
}

func frame(kind int, call uint32, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{'R', 1, byte(kind), 0}, call)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
}

// say sends a frame. It reports whether the link is still open.
func (a *attacker) say(kind int, call uint32, body string) bool {
	_, err := a.Write(frame(kind, call, []byte(body)))
	return err == nil
}

// ask asks for a socket.
func (a *attacker) ask(call uint32, fields map[string]any) bool {
	b, _ := json.Marshal(fields)
	return a.say(listen, call, string(b))
}

// hear reads what the master sends, and closes the sockets that it gets.
func (a *attacker) hear() {
	var rest []byte
	buf, oob := make([]byte, 64<<10), make([]byte, 4096)
	for {
		n, oobn, _, _, err := a.ReadMsgUnix(buf, oob)
		if err != nil || n == 0 {
			return
		}
		a.closeRights(oob[:oobn])
		rest = append(rest, buf[:n]...)
		for len(rest) >= 12 && len(rest) >= 12+int(binary.BigEndian.Uint32(rest[8:])) {
			end := 12 + int(binary.BigEndian.Uint32(rest[8:]))
			a.deliver(int(rest[2]), rest[12:end])
			rest = rest[end:]
		}
	}
}

func (a *attacker) deliver(kind int, body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[kind]++
	if kind == socket {
		var s struct{ ID int }
		_ = json.Unmarshal(body, &s)
		a.ids = append(a.ids, s.ID)
		if s.ID > a.latest {
			a.latest = s.ID
			a.opened++
		}
	}
}

// takeIDs returns the sockets that were received since the last call.
func (a *attacker) takeIDs() []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := a.ids
	a.ids = nil
	return ids
}

func (a *attacker) socketsOpened() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.opened
}

func (a *attacker) answersOf(kind int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answers[kind]
}

// closeRights closes the sockets that came, after a shutdown that is the other holders' too.
func (a *attacker) closeRights(oob []byte) {
	messages, _ := syscall.ParseSocketControlMessage(oob)
	for _, m := range messages {
		fds, _ := syscall.ParseUnixRights(&m)
		for _, fd := range fds {
			_ = syscall.Shutdown(fd, syscall.SHUT_RDWR)
			if a.moves {
				_ = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
				_ = syscall.Listen(fd, 1)
			}
			_ = syscall.Close(fd)
		}
	}
}
