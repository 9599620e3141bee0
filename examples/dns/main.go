// Dns is the skeleton of a DNS server on a shared UDP socket: it answers every query
// with the query itself, marked as a response without records. It loses no datagram
// when it is reloaded:
//
//	go run ./examples/dns &
//	dig @127.0.0.1 -p 5300 example.org
//	kill -HUP <the master's pid, from its first log line>
//
// A draining worker reads no more datagrams, and answers those that it has read: ReadFrom
// fails only when the worker has left.
package main

import (
	"flag"
	"log"
	"net"

	"github.com/rota-go/rota"
)

const (
	headerSize = 12
	response   = 0x80 // of the third byte
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5300", "address to serve on")
	flag.Parse()
	conn, err := rota.ListenPacket("udp", *addr) // was: net.ListenPacket
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(serve(conn))
}

func serve(conn net.PacketConn) error {
	query := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(query)
		if err != nil {
			return err
		}
		if n < headerSize {
			continue
		}
		query[2] |= response
		if _, err := conn.WriteTo(query[:n], from); err != nil {
			log.Print(err) // that client's, and no reason to stop
		}
	}
}
