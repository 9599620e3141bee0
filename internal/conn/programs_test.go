package conn

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
)

// programs is the number of the kinds of programs; see serve.
const programs = 5

// serve is the program: it answers each request that has come in full, in pieces.
func (k *talk) serve(c net.Conn, rng *rand.Rand) {
	defer c.Close()
	switch k.program {
	case 0:
		k.serveInTurn(c, rng, false)
	case 1:
		k.serveInTurn(c, rng, true)
	case 2:
		k.serveApart(c, rng)
	default:
		k.forward(c, rng, k.program == 3)
	}
}

// intake is what a program has read of the dialogue's requests.
type intake struct {
	talk *talk
	conn net.Conn
	buf  []byte
	read int // bytes so far
}

func (k *talk) newIntake(c net.Conn, rng *rand.Rand) *intake {
	size := []int{2, 16, 64, 1024, 4096}[rng.IntN(5)]
	return &intake{talk: k, conn: c, buf: make([]byte, size)}
}

// until reads until it has n bytes, and reports false at the connection's end.
func (in *intake) until(n int) bool {
	for in.read < n {
		k, err := in.conn.Read(in.buf)
		in.talk.step()
		if in.read += k; err != nil {
			return in.read >= n
		}
	}
	return true
}

// peek reads one byte, as net/http does while a handler runs.
func (in *intake) peek() {
	k, _ := in.conn.Read(in.buf[:1])
	in.read += k
}

// serveInTurn reads a request, answers it, and reads the next. With peek it reads the first
// byte of the next request before or during the answer, if it surely comes.
func (k *talk) serveInTurn(c net.Conn, rng *rand.Rand, peek bool) {
	in, end := k.newIntake(c, rng), 0
	for i, x := range k.said {
		end += len(x.request)
		if !in.until(end) {
			return
		}
		peek := peek && k.client == 1 && i < len(k.said)-1 && in.read == end
		if peek && rng.IntN(2) == 0 {
			in.peek()
		}
		if !k.write(c, rng, x.answer, func() {
			if peek && in.read == end {
				in.peek()
			}
		}) {
			return
		}
		if x.last {
			return
		}
	}
	in.until(1 << 30)
}

// serveApart reads on one goroutine and answers on another.
func (k *talk) serveApart(c net.Conn, rng *rand.Rand) {
	asked, done := make(chan exchange, rng.IntN(3)), make(chan struct{})
	in, reader := k.newIntake(c, rng), rand.New(rand.NewPCG(rng.Uint64(), 3))
	go func() {
		defer close(done)
		for x := range asked {
			k.write(c, rng, x.answer, nil)
			if x.last {
				c.Close()
			}
		}
	}()
	end := 0
	for _, x := range k.said {
		if end += len(x.request); !in.until(end) {
			break
		}
		asked <- x
	}
	close(asked)
	if reader.IntN(2) == 0 { // it reads on while it answers, or after that
		<-done
	}
	in.until(1 << 30)
	<-done
}

// write writes an answer in pieces, by Write or by ReadFrom, and calls between, if there
// is one, after the first piece.
func (k *talk) write(c net.Conn, rng *rand.Rand, text string, between func()) (ok bool) {
	from, canCopy := c.(io.ReaderFrom)
	eachPiece(rng, text, func(p string) bool {
		k.step()
		var err error
		if canCopy && rng.IntN(4) == 0 {
			_, err = from.ReadFrom(strings.NewReader(p))
		} else {
			_, err = io.WriteString(c, p)
		}
		if between != nil {
			between()
			between = nil
		}
		ok = err == nil
		return ok
	})
	return ok
}

// forward sends what the client says to another program, and its answers back, in two
// goroutines that know nothing of HTTP. With copies it uses io.Copy for the answers.
func (k *talk) forward(c net.Conn, rng *rand.Rand, copies bool) {
	near, far := net.Pipe()
	defer near.Close()
	behind := make(chan struct{})
	go func() {
		defer close(behind)
		defer far.Close()
		k.serveApart(far, rng)
	}()
	back := make(chan struct{})
	go func() {
		defer close(back)
		var to io.Writer = c
		if !copies {
			to = struct{ io.Writer }{c}
		}
		io.Copy(to, near)
		c.Close()
	}()
	io.Copy(near, struct{ io.Reader }{c})
	near.Close()
	<-behind
	<-back
}
