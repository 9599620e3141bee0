// Http3 is an HTTP/3 server of quic-go whose processes can be replaced.
//
//	go run . -cert cert.pem -key key.pem &
//	curl --http3-only -k https://localhost:8443/
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/quic-go/quic-go/http3"
	"github.com/rota-go/rota/rotaquic"
)

func main() {
	addr := flag.String("addr", "localhost:8443", "address to serve on")
	cert := flag.String("cert", "cert.pem", "file of the certificate")
	key := flag.String("key", "key.pem", "file of its key")
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	srv := &http3.Server{
		Addr:      *addr,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
		}),
	}
	log.Fatal(rotaquic.ListenAndServe(srv)) // was: srv.ListenAndServe()
}
