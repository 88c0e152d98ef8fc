const STATIC_FILES=new URL("../static/",import.meta.url).href;
var B=`
  position { epoch offset }
  pageInfo { endCursor hasNextPage }
  edges { node { id type createdAt actor { id name } data highFives highFived @include(if: $mine) } }`,F=`query Community($after: String, $mine: Boolean!) {
  feed: communityFeed(first: 20, after: $after) { ${B} }
}`,Ee=`query Dashboard($after: String, $mine: Boolean!) {
  feed: dashboard(first: 10, after: $after) { ${B} }
}`;function h(i,t,e=""){let s=document.createElement(i);return s.className=t,s.setAttribute("part",t),s.textContent=e,s}var D="http://www.w3.org/2000/svg",V={workout:"M2 12h2m16 0h2M6 7v10M9 5v14M15 5v14M18 7v10M9 12h6",level:"M5 14l7-8 7 8M5 20l7-8 7 8",medal:"M12 14a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11Zm-3.4-1L7 21l5-2.6L17 21l-1.6-8",flame:"M13.5 3c.6 3.4 4.5 5.2 4.5 10.2A6.1 6.1 0 0 1 12 21a6.1 6.1 0 0 1-6-6.3c0-3 2-4.4 2.6-7.2 1.7.8 2.6 2 2.7 3.7C13 9.2 14 6.5 13.5 3Z",trophy:"M8 4h8v5.5a4 4 0 0 1-8 0V4Zm0 1.5H4.5V7A3.5 3.5 0 0 0 8 10.5m8-5h3.5V7a3.5 3.5 0 0 1-3.5 3.5M12 13.5V18m-4 2.5h8",flag:"M6 21V4m0 .5h12l-2.5 4 2.5 4H6",hand:"M7 12V6m3 5V4m3 7V4m3 8V6m0 6v3a6 6 0 0 1-11 3l-2-4 2-1 2 2",person:"M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 10c0-4.2 3.3-6.5 7.5-6.5s7.5 2.3 7.5 6.5",coin:"M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM8.5 12h7M12 8.5v7"};function O(i){let t=document.createElementNS(D,"svg");t.setAttribute("viewBox","0 0 24 24"),t.setAttribute("aria-hidden","true");let e=document.createElementNS(D,"path");return e.setAttribute("d",V[i]??V.workout),e.setAttribute("fill","none"),e.setAttribute("stroke","currentColor"),e.setAttribute("stroke-width","2"),e.setAttribute("stroke-linecap","round"),e.setAttribute("stroke-linejoin","round"),t.append(e),t}var T=new Intl.NumberFormat("en"),ut=new Intl.RelativeTimeFormat("en",{numeric:"auto",style:"short"}),A=2,ft=new Map([["workout_completed","workout"],["level_up","level"],["milestone_achieved","milestone"],["challenge_completed","challenge"],["high_five","high five"]]),pt=new Map([["record",["set a record","New record"]],["streak",["keeps a streak","A streak was kept"]]]),mt=new Map([["workout_completed","For a workout"],["level_up","For a new level"],["milestone_achieved","For a milestone"],["challenge_completed","For a challenge"]]),gt=[["year",31536e3],["month",2592e3],["week",604800],["day",86400],["hour",3600],["minute",60]],l=(i,t,e=`${t}s`)=>`${T.format(i)} ${i===1?t:e}`,c=i=>T.format(Math.round(i));function b(i,t=Date.now()){let e=(t-Date.parse(i))/1e3;for(let[s,n]of gt)if(e>=n)return ut.format(-Math.floor(e/n),s);return"just now"}function C(i){let t=i.actor?.name,e=i.data??{},s=(o,r)=>t?`${t} ${o}`:r,n=t??"Somebody";switch(i.type){case"workout_completed":{let o=e.focus?.name?`${e.focus.name} workout`:"Workout finished";return{title:s("finished a workout",o),detail:St(e)}}case"level_up":return{title:s("reached a new level","New level reached"),detail:yt(e)};case"milestone_achieved":{let[o,r]=pt.get(e.kind??"")??["reached a milestone","Milestone reached"];return{title:s(o,r),detail:Et(e)}}case"challenge_completed":return{title:s("completed a challenge","Challenge completed"),detail:_t(e)};case"high_five":return{title:`${n} gave you a high five`,detail:W(e)};case"follow_requested":return{title:`${n} asks to follow you`,detail:""};case"followed":return{title:`${n} follows you`,detail:""};case"credits_granted":return{title:"You were given credits",detail:kt(e)};default:return{title:String(i.type).replaceAll("_"," "),detail:t??""}}}function H({kind:i,events:t,count:e}){let[s]=t;if(i==="workouts"){let r=wt(t.map(a=>a.data?.focus?.name??"Other"));return{title:l(e,"workout"),detail:bt(r)}}if(i==="deeds"){let r=t.map(d=>C(d).detail).filter(Boolean);return{title:`${s.actor?.name??"Somebody"} reached ${l(e,"goal")}`,detail:r.join(" \xB7 ")}}let n=vt(t.map(r=>r.actor?.name??"Somebody"));if(i==="followers")return{title:`${n} follow you`,detail:""};let o=[...new Set(t.map(r=>W(r.data??{})))].filter(Boolean);return{title:`${n} gave you ${l(e,"high five")}`,detail:o.join(" \xB7 ")}}function U(i){return Object.entries(i).sort(([,e],[,s])=>s-e).map(([e,s])=>l(s,ft.get(e)??e.replaceAll("_"," "))).join(", ")}function wt(i){let t=new Map;for(let e of i)t.set(e,(t.get(e)??0)+1);return[...t].sort(([,e],[,s])=>s-e)}var bt=i=>i.map(([t,e])=>`${t} ${c(e)}`).join(", ");function vt(i){let t=[...new Set(i)],e=t.length-A;return e<=0?t.join(" and "):`${t.slice(0,A).join(", ")} and ${l(e,"other")}`}var yt=({level:i})=>u(i)?`Level ${c(i)}`:"",kt=({credits:i})=>u(i)?l(i,"credit"):"",W=({event_type:i})=>mt.get(i??"")??"";function Et({kind:i,value:t,exercise:e}){if(!u(t))return"";if(i==="workouts")return l(t,"workout");if(i==="streak")return`${l(t,"day")} in a row`;let s=typeof e=="string"?`${e.replaceAll("-"," ")}, `:"";return i==="record"?`Record: ${s}${T.format(t)} kg`:""}function _t({challenge:i,reward_xp:t}){let e=i?.name??i?.slug;return[...e?[e]:[],...u(t)?[`${c(t)} XP`]:[]].join(" \xB7 ")}function St({v:i,exercise_count:t,total_tu:e,exercises:s}){if(i===2){let o=[];return u(t)&&o.push(t>1?`${c(t)} or more exercises`:"one or two exercises"),u(e)&&e>0&&o.push(`over ${c(e)} training units`),o.join(" \xB7 ")}let n=u(e)?[`${c(e)} training units`]:[];if(Array.isArray(s)&&s.length){let o=s.slice(0,A).map(a=>a?.name??a?.slug??"an exercise"),r=s.length-o.length;n.push(o.join(", ")+(r?` and ${c(r)} more`:""))}return n.join(" \xB7 ")}function u(i){return Number.isFinite(i)}var v=i=>i instanceof Error?i.message:String(i);var K={workout_completed:()=>({icon:"workout",tone:"accent"}),level_up:({level:i})=>({icon:"level",tone:"grape",badge:f(i)}),milestone_achieved:Mt,challenge_completed:({reward_xp:i})=>({icon:"flag",tone:"cool",badge:f(i,"+")}),high_five:()=>({icon:"hand",tone:"warm"}),follow_requested:()=>({icon:"person",tone:"soft"}),followed:()=>({icon:"person",tone:"soft"}),credits_granted:({credits:i})=>({icon:"coin",tone:"warm",badge:f(i,"+")})},xt={workouts:{icon:"workout",tone:"accent"},deeds:{icon:"medal",tone:"grape"},high_fives:{icon:"hand",tone:"warm"},followers:{icon:"person",tone:"soft"}};function Y({type:i,data:t}){let e=Object.hasOwn(K,i)?K[i]:null;return e?e(t??{}):{icon:"workout",tone:"soft"}}var q=({kind:i,count:t})=>({...xt[i],badge:f(t)});function Mt({kind:i,value:t}){return i==="streak"?{icon:"flame",tone:"warm",badge:f(t)}:i==="record"?{icon:"trophy",tone:"rose"}:{icon:"medal",tone:"cool",badge:f(t)}}var f=(i,t="")=>u(i)?t+c(i):void 0;var Ot=new Set(["level_up","milestone_achieved","challenge_completed"]),At=new Set(["high_five","followed","follow_requested","credits_granted"]);function z(i,t){let e=document.createElement("li");e.dataset.id=i.id,e.dataset.type=i.type;let s=document.createElement("div");return Z(s,C(i),Y(i),i.created_at),s.classList.toggle("big",Ot.has(i.type)),At.has(i.type)||s.append(...Tt(i,t)),e.append(s),e}function G(i,t){let e=document.createElement("li");e.className="pile";let s=document.createElement("details"),n=document.createElement("summary"),o=document.createElement("ol");return o.setAttribute("role","list"),s.append(n,o),s.addEventListener("toggle",()=>o.replaceChildren(...s.open?X(i,t):[])),e.append(s),L(e,i,t),e}function L(i,t,e){let[s,n,o]=["details","summary","ol"].map(r=>i.querySelector(r));!n||!o||(Z(n,H(t),q(t),t.events[0].created_at),s?.hasAttribute("open")&&o.replaceChildren(...X(t,e)))}function X({events:i,count:t},e){let s=i.map(e);return t>i.length&&s.push(h("li","more",`and ${c(t-i.length)} before`)),s}function Z(i,{title:t,detail:e},{icon:s,tone:n,badge:o},r){let a=h("span","picture");if(a.append(O(s)),o){let j=h("span","badge",o);j.ariaHidden="true",a.append(j)}let d=document.createElement("time");d.setAttribute("part","time"),d.dateTime=r,d.textContent=b(r),d.title=new Date(r).toLocaleString("en"),i.className=`row ${n}`,i.setAttribute("part","row"),i.replaceChildren(a,h("span","title",t),d),e&&i.append(h("span","detail",e))}function Tt(i,t){let e=h(t?"button":"span","five"),s=()=>{let n=i.highFives??0;e.replaceChildren(O("hand"),h("span","unseen",Ct(i)),...n?[c(n)]:[]),t&&e.setAttribute("aria-pressed",String(!!i.highFived))};return s(),t?(e.setAttribute("type","button"),e.addEventListener("click",async()=>{i.highFived||e.ariaBusy==="true"||(e.ariaBusy="true",await t(i)&&s(),e.ariaBusy="false")}),[e]):i.highFives?[e]:[]}function Ct({highFives:i=0,highFived:t}){return t||!i?"High five":`High five; so far ${l(i,"person","people")} sent one:`}var tt={workouts:{least:5,withinMs:4e3},deeds:{least:3,withinMs:1e4},high_fives:{least:3,withinMs:36e5},followers:{least:3,withinMs:864e5}},Lt=new Set(["level_up","milestone_achieved","challenge_completed"]),Rt=new Map([["high_five","high_fives"],["followed","followers"]]),$t=50;function Nt({type:i,actor:t,heardAt:e}){if(Lt.has(i))return t?{kind:"deeds",key:`deeds ${t.id}`}:null;let n=i==="workout_completed"&&!t&&e!==void 0?"workouts":Rt.get(i);return n?{kind:n,key:n}:null}var y=({kind:i,count:t})=>i!==""&&t>=tt[i].least,m=class{all=[];#t;#i=0;constructor(t){this.#t=t}get rows(){return this.#i}add(t){return{pile:this.#s(t,"unshift"),cut:this.#e("pop")}}addOlder(t){return{pile:this.#s(t,"push"),cut:this.#e("shift")}}#s(t,e){let s=Nt(t),n=this.all.at(e==="push"?-1:0);if(!n||s?.key!==n.key||!It(t,n)){let o={kind:s?.kind??"",key:s?.key??"",events:[t],count:1};return this.all[e](o),this.#i+=1,o}return this.#i-=J(n),n.count+=1,n.events[e](t),n.events.length>$t&&n.events.pop(),this.#i+=J(n),n}#e(t){let e=new Set;for(;this.#i>this.#t;){let s=t==="pop"?this.all[this.all.length-1]:this.all[0];this.#i-=1,y(s)?s.events=[]:s.events[t](),s.count=s.events.length,e.add(s),s.count||this.all[t]()}return e}},J=i=>y(i)?1:i.count;function It(i,{kind:t,events:e}){let s=Q(i);return[e[0],e[e.length-1]].every(n=>Math.abs(s-Q(n))<=tt[t].withinMs)}var Q=({created_at:i,heardAt:t})=>t??Date.parse(i);var k=class{element=document.createElement("ol");applaud=null;cut=!1;most;#t;#i=new WeakMap;#s=new WeakMap;#e=new WeakMap;constructor(t){this.most=t,this.#t=new m(t),this.element.setAttribute("role","list")}get rows(){return this.#t.rows}clear(){this.#t=new m(this.most),this.cut=!1,this.element.replaceChildren()}add(t){let e=new Set;for(let s of t){this.#c(s).classList.add("fresh");let{pile:n,cut:o}=this.#t.add(s);for(let r of[n,...o])e.add(r)}for(let s of e)this.#n(s)}addOlder(t){let e=new Set;for(let s of t){let{pile:n,cut:o}=this.#t.addOlder(s);o.size&&(this.cut=!0);for(let r of[n,...o])e.add(r)}for(let s of e)this.#n(s)}tellTimes(){for(let t of this.element.querySelectorAll("time"))t.textContent=b(t.dateTime)}#n(t){let e=this.#e.get(t)??[],s=y(t)?[this.#l(t)]:t.events.map(o=>this.#c(o));for(let o of e)s.includes(o)||o.remove();this.#e.set(t,s);let n=this.#o(t);for(let o of[...s].reverse())(o.nextSibling!==n||!o.parentNode)&&this.element.insertBefore(o,n),n=o}#o(t){let{all:e}=this.#t;for(let s=e.indexOf(t)+1;s>0&&s<e.length;s+=1){let[n]=this.#e.get(e[s])??[];if(n?.parentNode)return n}return null}#l(t){let e=this.#s.get(t),s=o=>this.#c(o);e&&L(e,t,s);let n=e??G(t,s);return this.#s.set(t,n),n}#c(t){let e=this.#i.get(t)??z(t,this.applaud);return this.#i.set(t,e),e}};var Pt=`
  :host {
    --ink: var(--live-ink, light-dark(#14212b, #e8eff4));
    --soft: var(--live-soft, light-dark(#4a5f6d, #9db0bd));
    --card: var(--live-card, light-dark(#fff, #111a22));
    --raised: var(--live-raised, light-dark(#eaf0f3, #18242e));
    --line: var(--live-line, light-dark(#d5dfe5, #22313d));
    --edge: var(--live-edge, light-dark(#788b97, #5d7486));
    --accent: var(--live-accent, light-dark(#00705a, #4fd8b5));
    --accent-ink: var(--live-accent-ink, light-dark(#fff, #04231b));
    --warm: var(--live-warm, light-dark(#8a5200, #ffb84d));
    --cool: var(--live-cool, light-dark(#0a5f9e, #7cc4ff));
    --grape: var(--live-grape, light-dark(#6340c8, #bba6ff));
    --rose: var(--live-rose, light-dark(#ab2261, #ff9ac1));
  }
`,jt=`
  :host {
    position: relative;
    display: flex;
    flex-direction: column;
    min-height: 0;
    max-height: var(--live-height, 32rem);
    background: var(--card);
    color: var(--ink);
    font: 400 var(--live-text, 0.9375rem) / 1.5 var(--live-font, system-ui, -apple-system, "Segoe UI", sans-serif);
  }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; margin: 0; }
  .scroller {
    position: relative; flex: 1; min-height: 0; overflow-y: auto; overflow-anchor: none; scrollbar-width: thin;
  }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: 6px; }
  .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .notice { padding: 0.4rem 0.3rem; color: var(--soft); font-size: 0.875rem; }
  button { cursor: pointer; color: inherit; font: inherit; }
  .pill {
    position: absolute; z-index: 1; top: 0.4rem; left: 50%; translate: -50%;
    min-height: 2.5rem; padding: 0.2rem 1.1rem; border: 0; border-radius: 99px;
    background: var(--accent); color: var(--accent-ink); font-weight: 650; white-space: nowrap;
    box-shadow: 0 4px 18px rgb(0 0 0 / 30%);
  }
  .skipped {
    display: flex; flex-wrap: wrap; gap: 0.3rem 0.8rem; align-items: center; justify-content: space-between;
    padding: 0.6rem 0.8rem; border-radius: 10px; background: var(--raised); font-size: 0.875rem;
  }
  .skipped span { color: var(--soft); }
  .skipped button, .older {
    min-height: 2.5rem; padding: 0.3rem 0.8rem; border: 1px solid var(--edge); border-radius: 10px; background: none;
  }
  .older { width: 100%; margin-top: 0.4rem; color: var(--soft); }
`,Bt=`
  ol { padding: 0; list-style: none; }
  .row {
    --hue: var(--accent);
    display: grid; grid-template-columns: 2.5rem minmax(0, 1fr) auto; gap: 0 0.8rem; align-items: start;
    padding: 0.65rem 0.3rem; min-height: 3.8rem;
  }
  li + li { border-top: 1px solid var(--line); }
  .warm { --hue: var(--warm); } .cool { --hue: var(--cool); } .grape { --hue: var(--grape); }
  .rose { --hue: var(--rose); } .soft { --hue: var(--soft); }
  .picture {
    position: relative; display: grid; grid-row: span 2; align-self: start; place-items: center;
    width: 2.5rem; height: 2.5rem; border-radius: 12px; color: var(--hue);
    background: color-mix(in srgb, var(--hue) 14%, transparent);
  }
  .picture svg { width: 1.35rem; height: 1.35rem; }
  .badge {
    position: absolute; right: -0.45rem; bottom: -0.4rem; min-width: 1.3rem; padding: 0 0.3rem;
    border: 2px solid var(--card); border-radius: 99px; background: var(--hue); color: var(--card);
    font-size: 0.72rem; font-weight: 700; line-height: 1.15rem; text-align: center; font-variant-numeric: tabular-nums;
  }
  .big .title { color: var(--hue); font-weight: 650; }
  .title { overflow-wrap: anywhere; }
  .row:not(:has(.detail)) > .title { grid-row: span 2; align-self: center; }
  time { padding-top: 0.15rem; color: var(--soft); font-size: 0.8rem; white-space: nowrap; text-align: right; }
  .detail { grid-column: 2 / -1; color: var(--soft); font-size: 0.875rem; overflow-wrap: anywhere; }
  .row:has(.five) > .detail { grid-column: 2; }
  .five { grid-column: 3; grid-row: 2; justify-self: end; display: inline-flex; gap: 0.3rem; align-items: center; }
  .five svg { width: 1.1rem; height: 1.1rem; }
  span.five { color: var(--soft); font-size: 0.8rem; }
  button.five {
    min-width: 2.75rem; min-height: 2rem; padding: 0 0.55rem; justify-content: center;
    border: 1px solid var(--edge); border-radius: 99px; background: none; color: var(--soft); font-size: 0.8rem;
  }
  button.five:hover { border-color: var(--warm); color: var(--warm); }
  button.five[aria-pressed="true"] {
    border-color: var(--warm); background: color-mix(in srgb, var(--warm) 14%, transparent); color: var(--warm);
    cursor: default;
  }
`,Ft=`
  summary { cursor: pointer; list-style: none; }
  summary::-webkit-details-marker { display: none; }
  summary .picture { box-shadow: -4px -4px 0 -1px color-mix(in srgb, var(--hue) 22%, var(--card)); }
  summary .title::after { content: " \u25BE"; color: var(--soft); }
  details[open] summary .title::after { content: " \u25B4"; }
  details ol { margin-left: 1rem; padding-left: 0.6rem; border-left: 2px solid var(--line); }
  .more { padding: 0.5rem 0.3rem; color: var(--soft); font-size: 0.875rem; }
  .fresh > * { animation: arrive 0.5s ease-out, settle 2.4s ease-out; }
  @keyframes arrive { from { opacity: 0; transform: translateY(-0.6rem); } }
  @keyframes settle { from { background: color-mix(in srgb, var(--hue, var(--accent)) 16%, transparent); } }
  @media (prefers-reduced-motion: reduce) { .fresh > * { animation: none; } }
`,R=new CSSStyleSheet;R.replaceSync(Pt+jt+Bt+Ft);var et=200,Dt=60,Vt=3,Ht=100,Ut=8,Wt=2e3,Kt=4e3,Yt=2e4,qt="300px",g=class extends HTMLElement{#t=null;#i=null;#s=null;#e=0;#n=0;#o=new Set;#l;#c=[];#d=0;#u=!1;#g=0;#y={};#a=new k(et);#h=h("div","scroller");#w=h("div","skipped");#m=h("p","notice");#f=h("p","unseen");#p=$("pill",()=>this.#V());#b=$("older",()=>this.#A());#r=0;#E=new IntersectionObserver(([t])=>t.isIntersecting&&this.#j(),{root:this.#h,rootMargin:qt});connectedCallback(){this.shadowRoot||this.#P(this.attachShadow({mode:"open"})),this.#l=setInterval(this.#B,Yt),document.addEventListener("visibilitychange",this.#B)}disconnectedCallback(){clearInterval(this.#l),document.removeEventListener("visibilitychange",this.#B),this.stop()}follow(t){this.#i?.unsubscribe(),this.#t=t,this.#a.most=Math.max(Dt,Number(this.getAttribute("keep"))||et),this.#a.applaud=t.highFive?e=>this.#H(e):null,this.#_(t)}stop(){this.#e+=1;for(let t of this.#o)clearTimeout(t);this.#o.clear(),this.#i?.unsubscribe(),this.#i=null,this.#D(),this.#M({endCursor:null,hasNextPage:!1}),delete this.dataset.state}#P(t){t.adoptedStyleSheets=[R],this.#h.tabIndex=0,this.#h.setAttribute("role","group"),this.#h.setAttribute("aria-label",this.getAttribute("label")??"Events"),this.#h.addEventListener("scroll",()=>this.#v(),{passive:!0}),this.#f.setAttribute("role","status"),this.#m.setAttribute("role","status"),this.#m.textContent="Loading\u2026",this.#b.textContent="Show older";for(let e of[this.#b,this.#p,this.#w])e.hidden=!0;this.#h.append(this.#w,this.#a.element,this.#b),t.append(this.#p,this.#m,this.#h,this.#f),this.#E.observe(this.#b)}async#_(t){let e=++this.#e;this.#n=Date.now();let s;try{s=await t.page(null)}catch(n){if(e!==this.#e)return;this.#$(v(n)),this.#x(Kt,e,()=>this.#O());return}e===this.#e&&(this.#D(),this.#a.addOlder(s.edges.map(({node:n})=>it(n))),this.#M(s.pageInfo),this.#h.scrollTop=0,this.#F(),this.#i=t.client.subscribe(t.channel,{since:s.position,token:t.token,event:n=>{e===this.#e&&this.#N(n)},digest:n=>{e===this.#e&&this.#L(n)},joined:()=>{e===this.#e&&(this.dataset.state="live")},lost:()=>{e===this.#e&&this.#S(e)},refused:n=>{e===this.#e&&this.#$(`This feed cannot be followed (${n}).`)}}))}#S(t){this.dataset.state="loading";let e=Math.max(0,this.#n+Wt-Date.now())*(.5+Math.random());this.#x(e,t,()=>this.#O())}#x(t,e,s){let n=setTimeout(()=>{this.#o.delete(n),e===this.#e&&s()},t);this.#o.add(n)}#O(){this.#i?.unsubscribe(),this.#t&&this.#_(this.#t)}#j(){this.#r>=Vt||(this.#r+=1,this.#A())}async#A(){let t=this.#b;if(!this.#t||t.disabled||t.hidden)return;let e=this.#e;t.disabled=!0;try{let s=await this.#t.page(this.#s);if(e!==this.#e)return;this.#T(()=>this.#a.addOlder(s.edges.map(({node:n})=>it(n)))),this.#M(s.pageInfo),this.#I(),this.#E.unobserve(t),this.#E.observe(t)}catch(s){e===this.#e&&this.#$(v(s))}finally{t.disabled=!1}}#T(t){let e=this.#a.element.lastElementChild,s=e?.getBoundingClientRect().top??0;t(),e?.isConnected&&(this.#h.scrollTop+=e.getBoundingClientRect().top-s)}#M({endCursor:t,hasNextPage:e}){this.#s=t,this.#b.hidden=!e}#N(t){this.#c.push({...t,heardAt:Date.now()}),this.#d+=1,this.#c.length>this.#a.most&&this.#c.shift(),this.dispatchEvent(new CustomEvent("row",{detail:t})),!this.#u&&(this.#u=!0,this.#x(Ht,this.#e,()=>this.#C()))}#C(){this.#u=!1,this.#k&&this.#c.length===this.#d?(this.#a.add(this.#c),this.#g+=this.#d,this.#c=[],this.#d=0,this.#F()):this.#k&&this.#S(this.#e),this.#I()}#L({counts:t,events:e}){let s={...t};for(let{event:n}of e??[])this.#N(n),s[n.type]=(s[n.type]??0)-1;for(let[n,o]of Object.entries(s))o>0&&(this.#y[n]=(this.#y[n]??0)+o);this.#R(),this.dispatchEvent(new CustomEvent("skipped",{detail:s}))}#R(){let t=Object.values(this.#y).reduce((o,r)=>o+r,0);this.#w.hidden=t===0;let e=document.createElement("p"),s=document.createElement("span");e.textContent=`${l(t,"more event")} went by `,s.textContent=U(this.#y),e.append(s);let n=$("",()=>this.#O());n.textContent="Show the newest",this.#w.replaceChildren(e,n)}get#k(){return this.#h.scrollTop<=Ut&&!this.#a.cut}#v(){this.#r=0,this.#k&&this.#d?this.#C():this.#I()}#I(){this.#p.hidden=!this.#d&&!this.#a.cut,this.#p.textContent=this.#d?l(this.#d,"new event"):"Back to the newest"}#V(){this.#h.focus({preventScroll:!0}),this.#a.cut?this.#O():this.#h.scrollTop=0,this.#v()}async#H(t){try{let e=await this.#t?.highFive?.(t.id);return e?(t.highFives=e.highFives,t.highFived=!0,this.#F(),!0):!1}catch(e){return this.#$(v(e)),!1}}#B=()=>{this.#a.tellTimes(),this.#g&&(this.#f.textContent=l(this.#g,"new event")),this.#g=0};#D(){this.#a.clear(),this.#c=[],this.#d=0,this.#u=!1,this.#y={},this.#r=0,this.#R(),this.#I()}#F(){this.#$(this.#a.rows?"":this.getAttribute("empty")??"Nothing yet.")}#$(t){this.#m.textContent=t,this.#m.hidden=!t}};function it({createdAt:i,...t}){return{...t,created_at:i}}function $(i,t){let e=h("button",i);return e.setAttribute("type","button"),e.addEventListener("click",t),e}customElements.define("live-feed",g);function st(i,t){return t*Math.min(3e4,1e3*2**Math.min(i,16))}var zt=new Set([1e3,1002,1003,1007,1009]);function N(i){return!zt.has(i)&&!(i>=4500&&i<=4999)}var E=class{#t=0;#i=new Map;show(t,e){let s=this.#t===t?this.#i:null;this.#t=t,this.#i=new Map(e.map(n=>[n,s?.get(n)??{version:null,cells:new Map}]))}receive({tile:t,version:e,whole:s,resolution:n,cells:o}){let r=this.#i.get(t);if(!r||n!==this.#t)return!1;if(s)r.cells=new Map(o.filter(([,a])=>a>0));else{if(r.version===null||e<=r.version)return!1;if(e!==r.version+1)return r.version=null,!1;for(let[a,d]of o)d>0?r.cells.set(a,d):r.cells.delete(a)}return r.version=e,!0}snapshot(){let t=new Map;for(let e of this.#i.values())for(let[s,n]of e.cells)t.set(s,n);return{resolution:this.#t,cells:t}}};var Gt=new Set(["UNAVAILABLE","RATE_LIMITED"]),_=class{#t;#i;#s="idle";#e;#n=0;#o;#l=!1;#c=!1;#d=0;constructor(t,e,s){this.channel=t,this.#t=e,this.#i=s,this.#e=e.since?{...e.since}:null,this.#c=!!e.state&&!e.since}get position(){return this.#e&&{...this.#e}}unsubscribe(){(this.#s==="live"||this.#s==="joining")&&this.#i.ask({type:"unsubscribe",channel:this.channel},()=>{}),this.end(),this.#i.forget(this)}async join(){if(this.#s==="ended")return;this.#p(),this.#s="joining";let t=++this.#d,e={type:"subscribe",channel:this.channel};try{this.#c&&this.#t.state&&await this.#g(this.#t.state,t),this.#t.token&&this.#u(t)&&(e.token=await this.#t.token(this.#l))}catch{this.#u(t)&&this.#f();return}this.#u(t)&&(this.#e&&(e.since=this.#e),this.#i.ask(e,s=>{this.#u(t)&&(s.type==="subscribed"?this.#y(s):s.type!=="error"?this.#m(s.type==="unsubscribed"?s.reason:void 0):Gt.has(s.code)?this.#f(s.retry_after_ms):this.#m(s.code))}))}receive(t){this.#s==="ended"||this.#c||(t.type==="event"?this.#a(t.event,t.offset):t.type==="digest"?this.#h(t):t.type==="gap"?this.#f():t.type==="unsubscribed"&&this.#w(t.reason))}disconnected(){this.#p(),this.#s!=="ended"&&(this.#s="idle")}end(){this.#p(),this.#s="ended"}#u(t){return t===this.#d&&this.#s==="joining"}async#g(t,e){let{epoch:s,offset:n}=await t(this.position);this.#u(e)&&(this.#e={epoch:s,offset:n},this.#c=!1)}#y({epoch:t,offset:e,recovered:s,events:n}){if(this.#s="live",this.#o=setTimeout(()=>this.#n=0,1e4),this.#l=!1,s===!1&&this.#t.state)return this.#c=!0,this.#f();if(s===!1){this.#e={epoch:t,offset:e},this.#t.lost?.({epoch:t,offset:e});return}let o=this.#e??={epoch:t,offset:e};for(let r of n)this.#a(r.event,r.offset);this.#s==="live"&&this.#t.joined?.({...o})}#a(t,e){!this.#e||e<=this.#e.offset||(e===this.#e.offset+1?(this.#e.offset=e,this.#t.event?.(t,e)):this.#s==="live"&&this.#f())}#h(t){!this.#e||t.to<=this.#e.offset||(t.from<=this.#e.offset+1?(this.#e.offset=t.to,this.#t.digest?.(t)):this.#s==="live"&&this.#f())}#w(t){t==="token_expired"&&this.#t.token?(this.#l=!0,this.#f()):this.#m(t)}#m(t){this.end(),this.#i.forget(this),this.#t.refused?.(t)}#f(t){this.#p(),this.#s="waiting";let e=t??Math.random()*Math.min(15e3,500*2**Math.min(this.#n,8));this.#n+=1,this.#o=setTimeout(()=>this.join(),e)}#p(){clearTimeout(this.#o),this.#o=void 0}};var S=class{#t=new Map;has(t){return this.#t.has(t)}set(t,e,s){this.clear(t),this.#t.set(t,setTimeout(()=>(this.#t.delete(t),s()),e))}soon(t,e,s){this.has(t)||this.set(t,e,s)}clear(t){clearTimeout(this.#t.get(t)),this.#t.delete(t)}clearAll(){for(let t of this.#t.values())clearTimeout(t);this.#t.clear()}};var Jt="musclemap.v1",Qt=15e3,te=1e4,ee=250,ie=250,ot=3e3,se=1e4,ne=3e5,oe=6e4,re=2**31-1,x=class extends EventTarget{#t;#i;#s;#e=null;#n="stopped";#o=0;#l=0;#c=!1;#d=null;#u=null;#g=!1;#y=1;#a=new Map;#h=new Map;#w=new E;#m=null;#f={};#p=!1;#b=3e4;#r=new S;constructor(t,{token:e=async()=>null,WebSocket:s=globalThis.WebSocket}={}){super(),this.#t=t,this.#i=e,this.#s=s}get state(){return this.#n}start(){this.#n==="stopped"&&(this.#o?this.#_():this.#E())}stop({leave:t=!1}={}){t&&this.#A({type:"leave"}),this.#x(1e3),this.#d=null,this.#o=0,this.#k("stopped")}restart(){this.stop({leave:!0}),this.start()}hurry(){this.#n==="waiting"&&this.#u===null&&!this.#g?this.#E():this.#n==="open"?this.#N():this.#r.has("deadline")&&this.#r.set("deadline",ot,()=>this.#S())}subscribe(t,e={}){let s=new _(t,e,{ask:(n,o)=>this.#T(n,o),forget:n=>{this.#h.get(t)===n&&this.#h.delete(t)}});return this.#h.get(t)?.end(),this.#h.set(t,s),this.#n==="open"&&s.join(),s}setViewport(t){this.#m=t,this.#n==="open"&&this.#r.soon("viewport",ie,()=>this.#L())}setPresence(t){("lat"in t||"cell"in t)&&(this.#p=!1),Object.assign(this.#f,t),this.#n==="open"&&this.#r.soon("presence",ee,()=>this.#M())}async#E(){this.#r.clear("return"),this.#k("connecting");let t=++this.#l,e={},s="";try{if(s=typeof this.#t=="string"?this.#t:await this.#t(),t!==this.#l)return;if(this.#d)e.resume=this.#d;else{let o=await this.#i(this.#c);o&&(e.token=o)}}catch{t===this.#l&&this.#_();return}if(t!==this.#l)return;this.#c=!1;let n=new this.#s(s,[Jt]);this.#e=n,n.onopen=()=>{let o=this.#f.background?{background:!0}:{};n.send(JSON.stringify({type:"connect",...e,...o}))},n.onmessage=({data:o})=>{t===this.#l&&this.#O(JSON.parse(o))},n.onclose=({code:o})=>{t===this.#l&&this.#P(o)},this.#r.set("deadline",Qt,()=>this.#S())}#P(t){return this.#x(),t===4001&&(this.#c=!0),(t===4001||!N(t))&&(this.#d=null),this.#g=!N(t),this.#g?(this.#o+=1,this.#k("stopped",{code:t})):this.#_(t)}#_(t){let e=this.#u??st(this.#o,Math.random());this.#o+=1,this.#k("waiting",{retryInMs:e,code:t}),this.#r.set("return",e,()=>{this.#u=null,this.#E()})}#S(){this.#x(4e3),this.#_(1006)}#x(t){this.#l+=1,this.#r.clearAll(),this.#a.clear();for(let s of this.#h.values())s.disconnected();let e=this.#e;this.#e=null,t&&e&&e.readyState<=1&&e.close(t)}#O(t){let e=Number(t.id),s=this.#a.get(e);if(s){this.#a.delete(e),s(t);return}switch(t.type){case"welcome":return this.#j(t);case"event":case"digest":case"gap":case"unsubscribed":return this.#h.get(t.channel)?.receive(t);case"map":this.#w.receive(t)&&this.#r.soon("draw",0,()=>this.#v("map",this.#w.snapshot()));return;case"pace":return this.#b=t.heartbeat_s*1e3,this.#C();case"refreshed":return this.#R(t.expires_in_s);case"reconnect":this.#u=t.after_ms;return;case"status":case"online":case"presence":case"error":return this.#v(t.type,t);default:return}}#j(t){this.#r.clear("deadline"),this.#r.set("stable",se,()=>this.#o=0),this.#g=!1,this.#u=null,this.#d=t.resume??null,this.#b=t.heartbeat_s*1e3,this.#p=!1,this.#k("open"),this.#v("welcome",t),this.#v("status",{degraded:t.degraded}),this.#R(t.expires_in_s);for(let e of this.#h.values())e.join();this.#L(),this.#M()}#A(t){this.#e?.readyState===1&&this.#n==="open"&&this.#e.send(JSON.stringify(t))}#T(t,e){let s=this.#y++;this.#a.set(s,e),this.#A({...t,id:s})}#M(){if(this.#n!=="open")return;let{lat:t,lng:e,cell:s,...n}=this.#f,o=this.#p?{}:s?{cell:s}:t===void 0?{}:{lat:t,lng:e};this.#p=!0,this.#r.set("ack",te,()=>this.#S()),this.#T({type:"heartbeat",...n,...o},r=>{this.#r.clear("ack"),r.type==="error"&&this.#v("error",r)}),this.#C()}#N(){this.#r.has("proof")||(this.#r.set("proof",ot,()=>this.#S()),this.#T({type:"ping"},()=>this.#r.clear("proof")))}#C(){this.#r.set("heartbeat",this.#b,()=>this.#M())}#L(){!this.#m||this.#n!=="open"||this.#T({type:"viewport",...this.#m},t=>{t.type==="viewport"?this.#w.show(t.resolution,t.tiles):t.type==="error"&&t.retry_after_ms?this.#r.soon("viewport",t.retry_after_ms,()=>this.#L()):this.#v("error",t)})}#R(t){if(t===void 0)return;let e=Math.max(oe,t*1e3-ne);this.#r.set("refresh",Math.min(e,re),async()=>{let s=this.#l,n=await this.#i(!0).catch(()=>null);n&&s===this.#l&&this.#A({type:"refresh",token:n})})}#k(t,e={}){this.#n=t,this.#v("state",{state:t,...e})}#v(t,e){this.dispatchEvent(new CustomEvent(t,{detail:e}))}};var le={unreachable:(i,t)=>`${t} cannot be reached. It is tried again.`,policy:(i,t)=>`This page's Content-Security-Policy forbids it: connect-src must name ${t} and ${ce(t)}, or where the gateway is.`,origin:(i,t)=>`Pages of ${i} may not connect to ${t}. Whoever runs it allows them by a widget token (python -m api.apps widget-token --origin ${i}), or names ${i} in ALLOWED_ORIGINS.`,missing:i=>`Pages of ${i} need a widget token: give it to one widget of the page as its attribute token.`,wrong:i=>`The widget token is not one for pages of ${i}. A token is made for one origin: python -m api.apps widget-token --origin ${i}`,ended:i=>`The widget token has ended. A new one: python -m api.apps widget-token --origin ${i}`,revoked:i=>`The widget token was taken back. A new one: python -m api.apps widget-token --origin ${i}`},rt=(i,t,e)=>le[i](t,new URL(e).origin);function at(i,t,e){return i===4503?"revoked":i!==4500?null:e?"ended":t?"wrong":"missing"}var ce=i=>i.replace(/^http/,"ws");var p=new URL("..",STATIC_FILES).href,I=class extends EventTarget{kinds=new Set;client;refusal=null;opened;#t=!1;#i=new Set([new URL(p).hostname]);constructor(t){super(),this.token=t,this.client=new x(()=>this.#s(),{token:async e=>this.#e(e)}),this.opened=new Promise(e=>{this.client.addEventListener("welcome",()=>e(),{once:!0})}),this.client.addEventListener("welcome",()=>this.#o(null)),this.client.addEventListener("state",e=>{!(e instanceof CustomEvent)||e.detail.state!=="stopped"||this.#o(at(e.detail.code,t!==null,this.#t)??this.refusal)}),document.addEventListener("securitypolicyviolation",this.#n),this.client.setPresence({background:document.hidden}),this.client.start()}close(){document.removeEventListener("securitypolicyviolation",this.#n),this.client.stop()}async#s(){let t;try{t=await fetch(new URL("config.json",p),{credentials:"omit"})}catch(n){throw this.refusal!=="policy"&&this.#o("unreachable"),n}let{rtUrl:e,mayConnect:s}=await t.json();if(s===!1)throw this.#o("origin"),new Error("this origin may not connect");return this.#i.add(new URL(e).hostname),e}#e(t){return this.#t||=t,this.#t?null:this.token}#n=({effectiveDirective:t,blockedURI:e})=>{t==="connect-src"&&URL.canParse(e)&&this.#i.has(new URL(e).hostname)&&this.#o("policy")};#o(t){t!==this.refusal&&(this.refusal=t,this.dispatchEvent(new CustomEvent("refusal",{detail:t})))}},w=new Set;function ht(i,t){let s=[...w].find(n=>n.token===t&&!n.kinds.has(i))??new I(t);return s.kinds.add(i),w.add(s),s}function lt(i,t){i.kinds.delete(t),!i.kinds.size&&(w.delete(i),i.close())}for(let i of["online","offline"])addEventListener(i,()=>w.forEach(({client:t})=>t.hurry()));document.addEventListener("visibilitychange",()=>{for(let{client:i}of w)i.setPresence({background:document.hidden}),document.hidden||i.hurry()});var ct=`/*
 * The colours and measures of every page, in both schemes. The plain words on --ground, --card and --raised have at
 * least 4.5:1 in each; the hues (--accent to --rose) too. Values are plain, for a canvas to read.
 */
:root {
  --ground: #0a1016;
  --card: #111a22;
  --raised: #18242e;
  --line: #22313d;
  --edge: #5d7486; /* of what is operated: 3:1 on a card */
  --ink: #e8eff4;
  --soft: #9db0bd;
  --accent: #4fd8b5;
  --accent-ink: #04231b;
  --warm: #ffb84d;
  --cool: #7cc4ff;
  --grape: #bba6ff;
  --rose: #ff9ac1;
  --bad: #ff8a7a;
  --shadow: rgb(0 0 0 / 45%);
  --map-sea: #0c151d;
  --map-land: #1b2a35;
  --map-coast: #2b3f4d;
  --map-lines: #13202a;
  --map-people: #4fd8b5;
  --map-here: #ffb84d;
  --map-ink: #04231b;
  --radius: 14px;
  --radius-small: 10px;
  --space: 1rem;
  --side: clamp(0.75rem, 3vw, 2rem); /* what a page leaves at its sides */
  --text: 0.9375rem;
  --text-small: 0.875rem;
  --text-tiny: 0.8rem;
  --top: 3.9rem; /* the height of the page's head where it is one line */
  --target: 2.5rem; /* the least height of what is pressed */
  --sans: system-ui, -apple-system, "Segoe UI", roboto, "Liberation Sans", sans-serif;
  color-scheme: dark;
}

@media (prefers-color-scheme: light) {
  :root {
    --ground: #f1f5f7;
    --card: #fff;
    --raised: #eaf0f3;
    --line: #d5dfe5;
    --edge: #788b97;
    --ink: #14212b;
    --soft: #4a5f6d;
    --accent: #00705a;
    --accent-ink: #fff;
    --warm: #8a5200;
    --cool: #0a5f9e;
    --grape: #6340c8;
    --rose: #ab2261;
    --bad: #b3261e;
    --shadow: rgb(20 40 55 / 16%);
    --map-sea: #dbe7ee;
    --map-land: #f7f9f8;
    --map-coast: #b6c6d0;
    --map-lines: #cfdde6;
    --map-people: #00705a;
    --map-here: #b35c00;
    --map-ink: #fff;
    color-scheme: light;
  }
}
`;var ue=`
  :host { display: block; position: relative; }
  :host([hidden]), [hidden] { display: none !important; }
  .refusal {
    margin: 0; padding: 0.7rem 0.9rem; border: 1px solid var(--bad); border-radius: var(--radius-small);
    background: var(--card); color: var(--ink); font: 400 var(--text-small) / 1.5 var(--sans); overflow-wrap: anywhere;
  }
  .refusal strong { display: block; color: var(--bad); }
`,fe=/color-scheme: \w+;/g,M=class extends HTMLElement{static observedAttributes=["token"];#t=null;#i=document.createElement("p");#s=()=>this.#l();get kind(){return this.localName}connectedCallback(){this.shadowRoot||this.#e(this.attachShadow({mode:"open"})),this.#n()}disconnectedCallback(){this.#o()}attributeChangedCallback(){this.#t&&(this.#o(),this.#n())}build(t){}attach(t){}detach(){}#e(t){t.adoptedStyleSheets=[pe(ge(this)),dt(ue)],this.#i.className="refusal",this.#i.setAttribute("part","refusal"),this.#i.setAttribute("role","alert"),this.#i.hidden=!0,t.append(this.#i),this.build(t)}#n(){let t=this.getAttribute("token")||me();this.#t=ht(this.kind,t),this.#t.addEventListener("refusal",this.#s),this.#l(),this.attach(this.#t)}#o(){this.#t&&(this.detach(),this.#t.removeEventListener("refusal",this.#s),lt(this.#t,this.kind),this.#t=null)}#l(){let t=this.#t?.refusal??null;if(this.#i.hidden=t===null,t===null)return;let e=rt(t,location.origin,p),s=document.createElement("strong");s.textContent="Not live.",this.#i.replaceChildren(s,e),this.dispatchEvent(new CustomEvent("refused",{detail:{reason:t,message:e}}))}};function dt(i){let t=new CSSStyleSheet;return t.replaceSync(i),t}function pe(i){return dt(ct.replaceAll(":root",":host").replace("(prefers-color-scheme: light)",i?"all":"not all").replaceAll(fe,""))}function me(){return document.querySelector("community-feed[token], presence-map[token]")?.getAttribute("token")||null}function ge(i){let t=document.createElement("i");t.style.color="light-dark(#000, #fff)",i.shadowRoot?.append(t);let e=getComputedStyle(t).color;return t.remove(),e==="rgb(0, 0, 0)"}var we="scroller, row, picture, badge, title, detail, time, five, pill, skipped, notice, older",be="Community events",ve="Quiet so far. The next workout appears here.",P=class extends M{#t=new g;build(t){this.#t.setAttribute("label",this.getAttribute("label")??be),this.#t.setAttribute("empty",this.getAttribute("empty")??ve),this.#t.setAttribute("exportparts",we),t.append(this.#t)}attach(t){let e=this.hasAttribute("since-page");this.#t.follow({client:t.client,channel:"community",page:async s=>e?ke(t,s):ye})}detach(){this.#t.stop()}},ye={edges:[],pageInfo:{endCursor:null,hasNextPage:!1}};async function ke(i,t){await i.opened;let e=fetch(new URL("api/graphql",p),{method:"POST",credentials:"omit",headers:{"Content-Type":"application/json"},body:JSON.stringify({query:F,variables:{after:t,mine:!1}})}),{data:s,errors:n}=await e.then(o=>o.json()).catch(()=>({}));if(!s)throw new Error(n?.[0]?.message??"The server cannot be reached. Try again in a moment.");return s.feed}customElements.define("community-feed",P);export{P as CommunityFeed};
