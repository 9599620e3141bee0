// Fasthttp is a server of github.com/valyala/fasthttp with one line changed. It has a
// module of its own, so that the library's stays free of it.
package main

import (
	"flag"
	"log"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
	"github.com/valyala/fasthttp"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	if err := rota.Setup(master.Config{MinUptime: -1}); err != nil {
		log.Fatal(err)
	}
	ln, err := rota.Listen("tcp", *addr) // was: net.Listen
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(fasthttp.Serve(ln, func(ctx *fasthttp.RequestCtx) {
		ctx.Response.AppendBody(ctx.PostBody())
		ctx.Response.AppendBodyString("whole")
	}))
}
