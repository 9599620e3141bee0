module github.com/rota-go/rota/examples/chi

go 1.25.0

replace github.com/rota-go/rota => ../..

require github.com/rota-go/rota v0.0.0

require (
	github.com/cloudflare/tableflip v1.2.3 // indirect
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
)

require (
	github.com/go-chi/chi/v5 v5.2.3
	golang.org/x/sys v0.47.0 // indirect
)
