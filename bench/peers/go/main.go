// The Go implementation doing the work that bench/peers.ts measures.
//
// Each line of standard input is one piece of work as JSON; each is answered with one line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	messenger "github.com/wu/keyop-messenger"
)

// reading has the fields of the payload in bench/lib/workload.ts, in their order.
type reading struct {
	Sensor   string  `json:"sensor"`
	Celsius  float64 `json:"celsius"`
	Humidity int     `json:"humidity"`
	Location string  `json:"location"`
	OK       bool    `json:"ok"`
}

type work struct {
	Do          string  `json:"do"` // "publish" or "deliver"
	Dir         string  `json:"dir"`
	Channel     string  `json:"channel"`
	PayloadType string  `json:"payloadType"`
	Payload     reading `json:"payload"`
	Count       int     `json:"count"`
	Together    int     `json:"together"`
	Always      bool    `json:"always"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var next work
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			fail(err)
		}
		took, err := do(next)
		if err != nil {
			fail(err)
		}
		fmt.Printf("{\"ms\":%f}\n", float64(took.Nanoseconds())/1e6)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func do(w work) (time.Duration, error) {
	cfg := &messenger.Config{Name: "bench", Storage: messenger.StorageConfig{
		DataDir:               w.Dir,
		SyncPolicy:            messenger.SyncPolicyPeriodic,
		OffsetFlushIntervalMS: 200,
	}}
	if w.Always {
		cfg.Storage.SyncPolicy = messenger.SyncPolicyAlways
	}
	cfg.ApplyDefaults()
	m, err := messenger.New(cfg)
	if err != nil {
		return 0, err
	}
	defer func() { _ = m.Close() }()
	if err := m.RegisterPayloadType(w.PayloadType, reading{}); err != nil {
		return 0, err
	}
	if w.Do == "deliver" {
		return deliver(m, w)
	}
	return publish(m, w)
}

// publish has as many publishers as are to publish together, each waiting for each of its messages.
func publish(m *messenger.Messenger, w work) (time.Duration, error) {
	ctx := context.Background()
	if err := m.Publish(ctx, w.Channel, w.PayloadType, w.Payload); err != nil {
		return 0, err
	}
	failures := make(chan error, w.Together)
	var publishers sync.WaitGroup
	began := time.Now()
	for range w.Together {
		publishers.Add(1)
		go func() {
			defer publishers.Done()
			for range w.Count / w.Together {
				if err := m.Publish(ctx, w.Channel, w.PayloadType, w.Payload); err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	publishers.Wait()
	took := time.Since(began)
	close(failures)
	return took, <-failures
}

// deliver follows the channel from the cursor that is on disk until all messages were handled.
func deliver(m *messenger.Messenger, w work) (time.Duration, error) {
	var handled atomic.Int64
	done := make(chan struct{})
	began := time.Now()
	err := m.Subscribe(context.Background(), w.Channel, "bench",
		func(context.Context, messenger.Message) error {
			if handled.Add(1) == int64(w.Count) {
				close(done)
			}
			return nil
		})
	if err != nil {
		return 0, err
	}
	<-done
	return time.Since(began), nil
}
