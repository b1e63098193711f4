// The same jobs as the other candidates of this bench, done with client-go as its documentation does them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applyv1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

type job struct {
	Do        string `json:"do"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Count     int    `json:"count"`
	Events    int    `json:"events"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func timed(count int, run func(i int)) []float64 {
	took := make([]float64, count)
	for i := range took {
		start := time.Now()
		run(i)
		took[i] = float64(time.Since(start).Nanoseconds()) / 1e6
	}
	return took
}

func watch(ctx context.Context, client *kubernetes.Clientset, j job, say func(any)) []float64 {
	var all []float64
	var lock sync.Mutex
	var open, done sync.WaitGroup
	open.Add(j.Count)
	for range j.Count {
		done.Go(func() {
			w, err := client.CoreV1().ConfigMaps(j.Namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + j.Name})
			must(err)
			defer w.Stop()
			open.Done()
			for seen := 0; seen < j.Events; {
				object := (<-w.ResultChan()).Object.(*corev1.ConfigMap)
				sent, err := strconv.ParseFloat(object.Data["sent"], 64)
				if err != nil {
					continue
				}
				seen++
				lock.Lock()
				all = append(all, float64(time.Now().UnixMicro())/1e3-sent)
				lock.Unlock()
			}
		})
	}
	open.Wait()
	say("open")
	done.Wait()
	return all
}

func main() {
	ctx := context.Background()
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	must(err)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	must(err)
	out := json.NewEncoder(os.Stdout)
	say := func(answer any) { must(out.Encode(answer)) }
	say("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var j job
		must(json.Unmarshal(lines.Bytes(), &j))
		maps := client.CoreV1().ConfigMaps(j.Namespace)
		switch j.Do {
		case "get":
			say(timed(j.Count, func(int) { _, err := maps.Get(ctx, j.Name, metav1.GetOptions{}); must(err) }))
		case "patch":
			say(timed(j.Count, func(i int) {
				patch := fmt.Appendf(nil, `{"data":{"patched":"%d"}}`, i)
				_, err := maps.Patch(ctx, j.Name, types.MergePatchType, patch, metav1.PatchOptions{})
				must(err)
			}))
		case "apply":
			say(timed(j.Count, func(i int) {
				wanted := applyv1.ConfigMap(j.Name, j.Namespace).WithData(map[string]string{"applied": strconv.Itoa(i)})
				_, err := maps.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "bench", Force: true})
				must(err)
			}))
		case "watch":
			say(watch(ctx, client, j, say))
		}
	}
}
