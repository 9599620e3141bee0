package rotahttp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/rotahttp"
)

func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }

func ExampleListenAndServe() {
	http.HandleFunc("/", hello)
	if err := rotahttp.ListenAndServe(":8080", nil); err != nil { // was: http.ListenAndServe
		log.Fatal(err)
	}
}

// Each worker reads the files when it starts, so a reload serves a new certificate.
func ExampleListenAndServeTLS() {
	http.HandleFunc("/", hello)
	if err := rotahttp.ListenAndServeTLS(":8443", "cert.pem", "key.pem", nil); err != nil {
		log.Fatal(err)
	}
}

// Serve is for an http.Server of the program's own. Under go test it is srv.Serve, so this
// example serves a request.
func ExampleServe() {
	ln, err := rota.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(hello)}
	served := make(chan error)
	go func() { served <- rotahttp.Serve(ln, srv) }() // was: srv.Serve(ln)

	resp, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Print(string(body))

	_ = srv.Shutdown(context.Background())
	fmt.Println(<-served)
	// Output:
	// hello
	// http: Server closed
}
