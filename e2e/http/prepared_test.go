//go:build linux

package http

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/rotahttp"
)

// These programs have an http.Server that another library serves. It sets the handler late.

func preparedTLS() {
	srv, file := new(http.Server), os.Getenv(e2etest.FlagsEnv)
	rotahttp.Prepare(srv)
	serveForeign(srv, httpHandler(), func(ln net.Listener) error { return srv.ServeTLS(ln, file, file) })
}

func preparedH2C() {
	srv := &http.Server{Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	srv.Protocols.SetHTTP1(true)
	rotahttp.Prepare(srv)
	serveForeign(srv, httpHandler(), srv.Serve)
}

func serveForeign(srv *http.Server, h http.Handler, serve func(net.Listener) error) {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv.Handler = h
	if err := serve(ln); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal("not a clean end: ", err)
	}
	fmt.Fprintln(os.Stderr, "clean end")
}
