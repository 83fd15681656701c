// Alertmanager's own dispatcher, inhibitor and stages on a clock of their own (testing/synctest): what each case's
// alerts lead to, to the nanosecond. Run by bench/notifications.ts, which writes cases.json and reads told.json.
package notifications

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
)

type sent struct {
	AtMs   int64             `json:"atMs"`
	Labels map[string]string `json:"labels"`
	// Of the alert: when it fired, and until when it is taken to fire; in the past where it is over.
	StartsMs int64 `json:"startsMs"`
	EndsMs   int64 `json:"endsMs"`
}

type testCase struct {
	Config string `json:"config"`
	Sent   []sent `json:"sent"`
	EndMs  int64  `json:"endMs"`
}

type told struct {
	AtMs     int64               `json:"atMs"`
	Receiver string              `json:"receiver"`
	Firing   []map[string]string `json:"firing"`
}

// How long a receiver takes to answer.
const answer = 100 * time.Millisecond

type sink struct {
	receiver string
	begin    time.Time
	mu       *sync.Mutex
	told     *[]told
}

func (s sink) Notify(_ context.Context, alerts ...*alert.Alert) (bool, error) {
	at := time.Since(s.begin).Milliseconds()
	time.Sleep(answer)
	one := told{AtMs: at, Receiver: s.receiver}
	for _, a := range alerts {
		if a.Resolved() {
			continue
		}
		labels := map[string]string{}
		for name, value := range a.Labels {
			labels[string(name)] = string(value)
		}
		one.Firing = append(one.Firing, labels)
	}
	if len(one.Firing) > 0 {
		s.mu.Lock()
		*s.told = append(*s.told, one)
		s.mu.Unlock()
	}
	return false, nil
}

func (s sink) SendResolved() bool { return true }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func run(c testCase) []told {
	conf := must(config.Load(c.Config))
	begin := time.Now()
	logger, registry, recorder := promslog.NewNopLogger(), prometheus.NewRegistry(), eventrecorder.NopRecorder()
	flags := featurecontrol.NoopFlags{}
	ctx, cancel := context.WithCancel(context.Background())
	silences := must(silence.New(silence.Options{Retention: time.Hour, Metrics: registry}))
	alerts := must(mem.NewAlerts(ctx, 30*time.Minute, 0, nil, logger, recorder, registry, flags))
	groups := marker.NewGroupMarker()
	log := must(nflog.New(nflog.Options{Retention: 120 * time.Hour, Metrics: registry}))
	intervals := map[string][]timeinterval.TimeInterval{}
	for _, i := range conf.TimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	inhibitor := inhibit.NewInhibitor(alerts, conf.InhibitRules, logger, recorder)
	result, mu := []told{}, &sync.Mutex{}
	receivers := map[string][]notify.Integration{}
	for _, r := range conf.Receivers {
		own := sink{r.Name, begin, mu, &result}
		receivers[r.Name] = []notify.Integration{notify.NewIntegration(own, own, "webhook", 0, r.Name)}
	}
	pipeline := notify.NewPipelineBuilder(registry, flags, recorder).New(
		receivers, func() time.Duration { return 0 }, inhibitor, silence.NewSilencer(silences, logger, recorder),
		timeinterval.NewIntervener(intervals), groups, log, nil)
	dispatcher := dispatch.NewDispatcher(alerts, dispatch.NewRoute(conf.Route, nil), pipeline, groups,
		func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) }, 30*time.Second, nil, logger,
		recorder, dispatch.NewDispatcherMetrics(false, registry, flags), nil)
	stop := make(chan struct{})
	go log.Maintenance(15*time.Minute, "", stop, nil)
	go inhibitor.Run()
	inhibitor.WaitForLoading()
	go dispatcher.Run(begin)
	dispatcher.WaitForLoading()
	for _, s := range c.Sent {
		time.Sleep(time.Until(begin.Add(time.Duration(s.AtMs) * time.Millisecond)))
		labels := model.LabelSet{}
		for name, value := range s.Labels {
			labels[model.LabelName(name)] = model.LabelValue(value)
		}
		at := func(ms int64) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
		if err := alerts.Put(ctx, &alert.Alert{
			Alert:     model.Alert{Labels: labels, StartsAt: at(s.StartsMs), EndsAt: at(s.EndsMs)},
			UpdatedAt: time.Now(),
		}); err != nil {
			panic(err)
		}
	}
	time.Sleep(time.Until(begin.Add(time.Duration(c.EndMs) * time.Millisecond)))
	dispatcher.Stop()
	inhibitor.Stop()
	alerts.Close()
	close(stop)
	cancel()
	synctest.Wait()
	return result
}

func TestNotifications(t *testing.T) {
	var cases []testCase
	if err := json.Unmarshal(must(os.ReadFile("cases.json")), &cases); err != nil {
		t.Fatal(err)
	}
	all := make([][]told, len(cases))
	for i, c := range cases {
		synctest.Test(t, func(*testing.T) { all[i] = run(c) })
	}
	if err := os.WriteFile("told.json", must(json.Marshal(all)), 0o644); err != nil {
		t.Fatal(err)
	}
}
