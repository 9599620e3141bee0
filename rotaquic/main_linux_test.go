//go:build linux

package rotaquic

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/worker"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){"http3": serveHTTP3, "echo": serveEcho, "plain": servePlain, "ports": servePorts, "late": serveLate}))
}

// serveHTTP3 is an HTTP/3 server as a program has it.
func serveHTTP3() { fmt.Fprintln(os.Stderr, ListenAndServe(server())) }

// servePlain is quic-go's alone.
func servePlain() { fmt.Fprintln(os.Stderr, server().ListenAndServe()) }

func server() *http3.Server {
	http.HandleFunc("/whoami", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		self := worker.Self()
		fmt.Fprintf(w, "generation=%d worker=%d slot=%d resumed=%t from=%s", self.Generation(), self.ID(), self.Slot(), r.TLS.DidResume, r.RemoteAddr)
	})
	http.HandleFunc("/numbers", numbers)
	http.HandleFunc("/linger", linger)
	http.HandleFunc("/zeros", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, 8<<20)) })
	return &http3.Server{Addr: os.Getenv(e2etest.FlagsEnv), TLSConfig: certificate()}
}

// numbers sends count numbers of 8 bytes in pieces, one every so many milliseconds.
func numbers(w http.ResponseWriter, r *http.Request) {
	count, _ := strconv.Atoi(r.FormValue("count"))
	every, _ := strconv.Atoi(r.FormValue("every"))
	const piece = 1000
	b := make([]byte, 0, 8*piece)
	for i := 0; i < count; i += len(b) / 8 {
		b = b[:0]
		for n := i; n < min(i+piece, count); n++ {
			b = binary.BigEndian.AppendUint64(b, uint64(n))
		}
		if _, err := w.Write(b); err != nil {
			fmt.Fprintln(os.Stderr, "numbers:", err)
			return
		}
		w.(http.Flusher).Flush()
		time.Sleep(time.Duration(every) * time.Millisecond)
	}
}

// linger makes its worker stay when it is told to leave, until there is a file of that name: it has other work to end.
func linger(_ http.ResponseWriter, r *http.Request) {
	name := r.FormValue("until")
	worker.Self().OnDisconnect(func(ctx context.Context) error {
		for ctx.Err() == nil {
			if _, err := os.Stat(name); err == nil {
				return nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		return ctx.Err()
	})
}

// certificate returns the configuration of a server, with the same certificate in every process.
func certificate() *tls.Config {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	cert, err := x509.CreateCertificate(nil, template, template, private.Public(), private)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: private}}, NextProtos: []string{"echo"}}
}

// serveEcho is a QUIC server without HTTP: it sends back what it reads from each stream.
func serveEcho() {
	ln, err := Listen(os.Getenv(e2etest.FlagsEnv), certificate(), &quic.Config{MaxIdleTimeout: e2etest.Stuck, DisablePathMTUDiscovery: true})
	for err == nil {
		var c *quic.Conn
		if c, err = ln.Accept(context.Background()); err == nil {
			go echo(c)
		}
	}
	fmt.Fprintln(os.Stderr, err)
}

func echo(c *quic.Conn) {
	for {
		s, err := c.AcceptStream(c.Context())
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(s, s)
			_ = s.Close()
		}()
	}
}
