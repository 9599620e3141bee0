package main

import (
	"fmt"
	"image/color"
	"os"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	bin       = 100 * time.Millisecond // of the plot
	plotShape = "a"
	width     = 28 * vg.Centimeter
	height    = 9 * vg.Centimeter // of each server's row
)

// plotAll draws requests a second and p99 over time of every server that was measured in
// shape (a), with the reloads marked. It reports whether there was one.
func plotAll(file string, all []result) (bool, error) {
	var rows [][]*plot.Plot
	for _, r := range all {
		if r.shape == plotShape && r.err == nil && len(r.samples) > 0 {
			rows = append(rows, []*plot.Plot{ratePlot(r), tailPlot(r)})
		}
	}
	if len(rows) == 0 {
		return false, nil
	}
	c := vgsvg.New(width, height*vg.Length(len(rows)))
	tiles := draw.Tiles{Rows: len(rows), Cols: 2, PadX: vg.Centimeter, PadY: vg.Centimeter / 2}
	for i, line := range plot.Align(rows, tiles, draw.New(c)) {
		for j, canvas := range line {
			rows[i][j].Draw(canvas)
		}
	}
	f, err := os.Create(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if _, err := c.WriteTo(f); err != nil {
		return false, err
	}
	return true, f.Close()
}

func ratePlot(r result) *plot.Plot {
	p := newPlot(fmt.Sprintf("%s, shape (%s): %d failed", r.server, r.shape, r.failed), "requests/s")
	addLine(p, r, func(s spans) float64 { return s.rate(r.samples) }, color.RGBA{B: 160, A: 255})
	return p
}

func tailPlot(r result) *plot.Plot {
	p := newPlot(r.server, "p99, ms")
	addLine(p, r, func(s spans) float64 { return s.p99(r.samples).Seconds() * 1000 }, color.RGBA{R: 160, A: 255})
	return p
}

func newPlot(title, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "s", y
	p.Y.Min = 0
	return p
}

// addLine draws value over time, and a thin line at every reload.
func addLine(p *plot.Plot, r result, value func(spans) float64, c color.Color) {
	var points plotter.XYs
	top := 0.0
	for at := r.quiet[0].from; at+bin <= r.quiet[1].to; at += bin {
		v := value(spans{{at, at + bin}})
		top = max(top, v)
		points = append(points, plotter.XY{X: (at - r.quiet[0].from).Seconds(), Y: v})
	}
	for i := range r.reloads {
		x := (r.busy[0].from - r.quiet[0].from + r.reloads[i].Sub(r.reloads[0])).Seconds()
		mark, err := plotter.NewLine(plotter.XYs{{X: x, Y: 0}, {X: x, Y: top}})
		if err != nil {
			continue
		}
		mark.Color, mark.Width = color.Gray{Y: 190}, vg.Points(0.5)
		p.Add(mark)
	}
	if line, err := plotter.NewLine(points); err == nil {
		line.Color = c
		p.Add(line)
	}
}
