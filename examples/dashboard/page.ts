/// <reference lib="dom" />
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { GatewayClient } from "@keyop/messenger/client";
new uPlot({width:1,height:1,series:[]}, [[]], document.body);
const x = document.querySelector<HTMLElement>("#a")!.dataset.foo; console.log(x, new GatewayClient("/ws"));
