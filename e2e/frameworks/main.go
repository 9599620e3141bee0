// Frameworks is a server of a library that has its own http.Server: one line more prepares it. It
// has a module of its own, so that the library's stays free of theirs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
	"github.com/pires/go-proxyproto"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/rotahttp"
	"golang.org/x/net/http2"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	framework := flag.String("framework", "echo", "echo, echo-h2c, exporter or proxyproto")
	config := flag.String("web.config.file", "", "of the exporter toolkit")
	flag.Parse()
	if err := rota.Setup(master.Config{MinUptime: -1}); err != nil {
		log.Fatal(err)
	}
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	switch *framework {
	case "echo", "echo-h2c":
		err = serveEcho(ln, *framework == "echo-h2c")
	case "exporter":
		err = serveExporter(ln, *config)
	case "proxyproto":
		err = serveBehindProxy(ln)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		log.Fatal("not a clean end: ", err)
	}
	fmt.Fprintln(os.Stderr, "clean end")
}

func serveEcho(ln net.Listener, h2c bool) error {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Any("/*", echo.WrapHandler(http.HandlerFunc(answer)))
	e.Listener = ln
	rotahttp.Prepare(e.Server) // the one line more
	if h2c {
		return e.StartH2CServer("", new(http2.Server))
	}
	return e.Start("")
}

// serveExporter is the end of main of node_exporter and its kind.
func serveExporter(ln net.Listener, config string) error {
	srv := &http.Server{Handler: http.HandlerFunc(answer)}
	rotahttp.Prepare(srv) // the one line more
	systemd := false
	return web.ServeMultiple([]net.Listener{ln}, srv, &web.FlagConfig{WebSystemdSocket: &systemd, WebConfigFile: &config}, slog.Default())
}

// serveBehindProxy is a server behind a load balancer that says who the client is. Nothing is
// prepared: connections that begin with a header of the PROXY protocol stay.
func serveBehindProxy(ln net.Listener) error {
	err := http.Serve(&proxyproto.Listener{Listener: ln}, http.HandlerFunc(clientAndServer))
	if errors.Is(err, net.ErrClosed) {
		return http.ErrServerClosed // the worker has left
	}
	return err
}

// clientAndServer answers with the client's address and the process.
func clientAndServer(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.RemoteAddr, " ", os.Getpid())
}

// answer sends the body back.
func answer(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = w.Write(b)
}
