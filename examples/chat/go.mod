module github.com/rota-go/rota/examples/chat

go 1.25.0

replace github.com/rota-go/rota => ../..

require github.com/rota-go/rota v0.0.0

require (
	github.com/cloudflare/tableflip v1.2.3 // indirect
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
)

require (
	github.com/gobwas/ws v1.4.0
	golang.org/x/sys v0.47.0 // indirect
)
